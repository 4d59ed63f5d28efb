//! Deleting a runtime that a user no longer wants.

use pgrx::Uuid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::merge::lock_with_users;
use super::registry::{count_active_agents, workspace_of};
use crate::argument::required;
use crate::clock;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::failure;
use crate::kind::RuntimeDeleted;
use crate::lock::Wanted;
use crate::recovery::verdict;
use crate::row::Composite;
use crate::spi::{Statement, arg};
use crate::task::cancel;

static IN_FLIGHT: Statement = Statement::write(include_str!("../../sql/runtime/in_flight_of.sql"));
static QUEUED_OF_ARCHIVED: Statement =
    Statement::write(include_str!("../../sql/runtime/queued_of_archived.sql"));
static HOMES: Statement = Statement::write(include_str!("../../sql/runtime/homes_of.sql"));
static REPOINT: Statement = Statement::write(include_str!("../../sql/runtime/repoint.sql"));
static COUNT_TASKS: Statement =
    Statement::write(include_str!("../../sql/runtime/count_tasks_of_bound.sql"));
static DELETE_ARCHIVED: Statement =
    Statement::write(include_str!("../../sql/runtime/delete_archived_agents.sql"));
static DELETE: Statement = Statement::write(include_str!("../../sql/runtime/delete.sql"));

extension_sql_file!(
    "../../sql/install/comments/delete.sql",
    name = "delete_comments",
    requires = [multica_delete_runtime, multica_delete_archived_agents]
);

fn without_active_agents(runtime: Uuid) -> Result<()> {
    match count_active_agents(runtime) {
        0 => Ok(()),
        active => Err(Error::InUse {
            message: format!("runtime {runtime} still has active agents"),
            detail: format!("{active} agents that are not archived are bound to it."),
            hint: "Archive these agents or bind them to another runtime first.".to_string(),
        }),
    }
}

fn queued_of_archived(runtime: Uuid) -> Vec<Uuid> {
    QUEUED_OF_ARCHIVED.rows(&[arg(runtime)], |row| row.must(1))
}

/// Ends the work that goes with archived agents or with the runtime, with all consequences: what waits is cancelled, what
/// is in flight failed, and no issue is left in progress for work that nobody does.
fn end_work(runtime: Uuid, in_flight: Vec<Uuid>, now: TimestampWithTimeZone, events: &mut Events) {
    let cancelled = cancel(queued_of_archived(runtime), now, events);
    verdict(in_flight, &failure::RUNTIME_OFFLINE, now, events);
    failure::reset_issues(&cancelled, now, events);
}

/// What is in flight on the runtime or of its agents, with everything locked that ending it and deleting touches.
fn lock_all(runtime: Uuid) -> Result<Vec<Uuid>> {
    let workspace = workspace_of(runtime)?;
    let in_flight = || IN_FLIGHT.rows(&[arg(runtime)], |row| row.must::<Uuid>(1));
    lock_with_users(workspace, &[runtime], || {
        let mut ending = in_flight();
        ending.extend(queued_of_archived(runtime));
        let mut wanted = Wanted::of_tasks(ending);
        let homes = HOMES.rows(&[arg(runtime)], |row| row.must::<Uuid>(1));
        wanted.runtimes.extend(homes);
        wanted
    });
    workspace_of(runtime)?;
    without_active_agents(runtime)?;
    Ok(in_flight())
}

/// Deletes a runtime to which no active agent is bound, its archived agents with what is theirs, and keeps the history of
/// every agent that lives elsewhere (CountActiveAgentsByRuntime, DeleteArchivedAgentsByRuntime, DeleteAgentRuntime).
/// What is in flight there is failed first, with all consequences.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_runtime(
    runtime_id: Option<Uuid>,
) -> std::result::Result<Composite<RuntimeDeleted>, ErrorReport> {
    let runtime = required("runtime_id", runtime_id)?;
    let workspace = workspace_of(runtime)?;
    without_active_agents(runtime)?;
    let in_flight = lock_all(runtime)?;
    let now = clock::now();
    let mut events = Events::default();
    end_work(runtime, in_flight, now, &mut events);
    let kept = REPOINT.run(&[arg(runtime)]);
    // Recorded before the rows go: the events tell the tasks as they are in the tables.
    events.record(now);
    let tasks: i64 = COUNT_TASKS
        .row(&[arg(runtime)], |row| row.must(1))
        .unwrap_or_default();
    let agents = DELETE_ARCHIVED.run(&[arg(runtime)]);
    DELETE.run(&[arg(vec![runtime])]);
    let mut events = Events::default();
    events.runtimes("delete", [(workspace, runtime)]);
    events.record(now);
    Ok(Composite::of(&[
        ("agents_deleted", arg(agents as i64)),
        ("tasks_deleted", arg(tasks)),
        ("tasks_kept", arg(kept as i64)),
    ]))
}

/// Deletes the archived agents of a runtime with what is theirs (DeleteArchivedAgentsByRuntime); says how many. What they
/// have in flight is failed first, with all consequences.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_archived_agents(
    runtime_id: Option<Uuid>,
) -> std::result::Result<i64, ErrorReport> {
    static IN_FLIGHT_OF_ARCHIVED: Statement =
        Statement::write(include_str!("../../sql/runtime/in_flight_of_archived.sql"));
    let runtime = required("runtime_id", runtime_id)?;
    let workspace = workspace_of(runtime)?;
    let in_flight = || IN_FLIGHT_OF_ARCHIVED.rows(&[arg(runtime)], |row| row.must::<Uuid>(1));
    lock_with_users(workspace, &[runtime], || {
        let mut ending = in_flight();
        ending.extend(queued_of_archived(runtime));
        Wanted::of_tasks(ending)
    });
    let now = clock::now();
    let mut events = Events::default();
    end_work(runtime, in_flight(), now, &mut events);
    events.record(now);
    Ok(DELETE_ARCHIVED.run(&[arg(runtime)]) as i64)
}
