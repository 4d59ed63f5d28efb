//! Deleting a runtime that a user no longer wants.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::history;
use super::merge::lock_with_users;
use super::registry::{count_active_agents, workspace_of};
use crate::argument::required;
use crate::clock;
use crate::entry::entry;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::failure;
use crate::kind::RuntimeDeleted;
use crate::lock::Wanted;
use crate::recovery::verdict;
use crate::refusal::unless_referred_to;
use crate::row::Composite;
use crate::spi::{Statement, arg};
use crate::task::cancel;

static IN_FLIGHT: Statement = Statement::write(include_str!("../../sql/runtime/in_flight_of.sql"));
static IN_FLIGHT_OF_ARCHIVED: Statement =
    Statement::write(include_str!("../../sql/runtime/in_flight_of_archived.sql"));
static QUEUED_OF_ARCHIVED: Statement =
    Statement::write(include_str!("../../sql/runtime/queued_of_archived.sql"));
static HOMES: Statement = Statement::write(include_str!("../../sql/runtime/homes_of.sql"));
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

fn ids(statement: &Statement, runtime: Uuid) -> Vec<Uuid> {
    statement.rows(&[arg(runtime)], |row| row.must(1))
}

/// Locks everything that deleting touches, and that ending the work touches which goes with it: what waits for archived
/// agents and what `in_flight` finds. `keeping` adds what tasks that will be kept move to.
fn lock_with_work(
    workspace: Uuid,
    runtime: Uuid,
    in_flight: &Statement,
    keeping: impl Fn(&mut Wanted),
) {
    lock_with_users(workspace, &[runtime], || {
        let mut ending = ids(in_flight, runtime);
        ending.extend(ids(&QUEUED_OF_ARCHIVED, runtime));
        let mut wanted = Wanted::of_tasks(ending);
        keeping(&mut wanted);
        wanted
    });
}

/// Ends the work that goes with archived agents or with the runtime, with all consequences: what waits is cancelled, what
/// is in flight failed, and no issue is left in progress for work that nobody does. The caller holds the locks of
/// [`lock_with_work`].
fn end_work(runtime: Uuid, in_flight: &Statement, now: TimestampWithTimeZone, events: &mut Events) {
    let cancelled = cancel(ids(&QUEUED_OF_ARCHIVED, runtime), now, events);
    let in_flight = ids(in_flight, runtime);
    verdict(in_flight, &failure::RUNTIME_OFFLINE, now, events);
    failure::reset_issues(&cancelled, now, events);
}

/// Deletes a runtime to which no active agent is bound, its archived agents with what is theirs, and keeps the history of
/// every agent that lives elsewhere (CountActiveAgentsByRuntime, DeleteArchivedAgentsByRuntime, DeleteAgentRuntime).
/// What is in flight there is failed first, with all consequences.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_runtime(runtime_id: Option<Uuid>) -> Composite<RuntimeDeleted> {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        let workspace = workspace_of(runtime)?;
        without_active_agents(runtime)?;
        lock_with_work(workspace, runtime, &IN_FLIGHT, |wanted| {
            wanted.runtimes.extend(ids(&HOMES, runtime));
            wanted.chat_sessions.extend(history::chats_of(runtime));
        });
        workspace_of(runtime)?;
        without_active_agents(runtime)?;
        let now = clock::now();
        let mut events = Events::default();
        end_work(runtime, &IN_FLIGHT, now, &mut events);
        let kept = history::move_all(runtime);
        // Recorded before the rows go: the events tell the tasks as they are in the tables.
        events.record(now);
        let tasks: i64 = COUNT_TASKS
            .row(&[arg(runtime)], |row| row.must(1))
            .unwrap_or_default();
        let agents = unless_referred_to("the runtime's archived agents", || {
            DELETE_ARCHIVED.run(&[arg(runtime)])
        });
        let deleted = unless_referred_to(format!("runtime {runtime}"), || {
            DELETE.run(&[arg(vec![runtime])])
        });
        if deleted == 0 {
            return Err(Error::kept_out(
                format!("runtime {runtime} could not be deleted"),
                "A trigger on agent_runtime keeps it.",
            ));
        }
        let mut events = Events::default();
        events.runtimes("delete", [(workspace, runtime)]);
        events.record(now);
        Ok(Composite::of(&[
            ("agents_deleted", arg(agents as i64)),
            ("tasks_deleted", arg(tasks)),
            ("tasks_kept", arg(kept as i64)),
        ]))
    })
}

/// Deletes the archived agents of a runtime with what is theirs (DeleteArchivedAgentsByRuntime); says how many. What they
/// have in flight is failed first, with all consequences.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_archived_agents(runtime_id: Option<Uuid>) -> i64 {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        let workspace = workspace_of(runtime)?;
        lock_with_work(workspace, runtime, &IN_FLIGHT_OF_ARCHIVED, |_| ());
        let now = clock::now();
        let mut events = Events::default();
        end_work(runtime, &IN_FLIGHT_OF_ARCHIVED, now, &mut events);
        events.record(now);
        Ok(unless_referred_to("the runtime's archived agents", || {
            DELETE_ARCHIVED.run(&[arg(runtime)])
        }) as i64)
    })
}
