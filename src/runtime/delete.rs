//! The calls that delete a runtime or its archived agents for a user.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::lookup::count_active_agents;
use crate::argument::required;
use crate::error::{Error, Result};
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::existence::workspace_of;
use crate::lifecycle::lock_set::{self, LockSet};
use crate::lifecycle::merge::{delete_runtimes, with_users};
use crate::lifecycle::verdict::verdict;
use crate::lifecycle::{consequences, history};
use crate::postgres::composite::Composite;
use crate::postgres::refusal::unless_referred_to;
use crate::postgres::statement::{Statement, arg};
use crate::types::RuntimeDeleted;

static IN_FLIGHT: Statement = Statement::volatile(sql!("runtime/in_flight_of.sql"));
static IN_FLIGHT_OF_ARCHIVED: Statement = Statement::volatile(sql!("runtime/in_flight_of_archived.sql"));
static QUEUED_OF_ARCHIVED: Statement = Statement::volatile(sql!("runtime/queued_of_archived.sql"));
static OF_ARCHIVED: Statement = Statement::volatile(sql!("runtime/rows_of_archived.sql"));
static HOMES: Statement = Statement::volatile(sql!("runtime/current_runtimes_of_agents.sql"));
static COUNT_TASKS: Statement = Statement::volatile(sql!("runtime/count_tasks_of_bound.sql"));
static DELETE_ARCHIVED: Statement = Statement::volatile(sql!("runtime/delete_archived_agents.sql"));

extension_sql_file!(
    "../../sql/extension/comments/delete.sql",
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

/// Locks every row that the deletion writes, and every row that is written when tasks are ended before it: the queued
/// tasks of archived agents and the tasks that `in_flight` returns. The chat sessions and tasks of archived agents are
/// deleted with them. `keeping` adds the rows that are needed to move the tasks that are kept.
fn lock_with_work(workspace: Uuid, runtime: Uuid, in_flight: &Statement, keeping: impl Fn(&mut LockSet)) -> Result<()> {
    lock_set::acquire_with_runtimes_or_fail(&[runtime], || {
        let mut ending = ids(in_flight, runtime);
        ending.extend(ids(&QUEUED_OF_ARCHIVED, runtime));
        let mut wanted = with_users(&[runtime], LockSet::of_tasks(ending).with_written(workspace, &[runtime]));
        let deleted: Option<(Vec<Uuid>, Vec<Uuid>)> = OF_ARCHIVED.row(&[arg(runtime)], |row| {
            (row.column("chat_sessions").unwrap_or_default(), row.column("tasks").unwrap_or_default())
        });
        let (chats, tasks) = deleted.unwrap_or_default();
        wanted.chat_sessions.extend(chats);
        wanted.tasks.extend(tasks);
        keeping(&mut wanted);
        wanted
    })
}

/// Ends the queued tasks of archived agents and the tasks that `in_flight` returns, with all consequences: queued tasks
/// are cancelled, tasks in flight are failed, and no issue stays in progress without a task. The caller holds the locks
/// of [`lock_with_work`].
fn end_work(runtime: Uuid, in_flight: &Statement, call: &mut Call) {
    let cancelled = cancel(ids(&QUEUED_OF_ARCHIVED, runtime), call);
    let in_flight = ids(in_flight, runtime);
    verdict(in_flight, &consequences::RUNTIME_OFFLINE, call);
    consequences::reset_issues(&cancelled, call);
}

/// Deletes a runtime to which no active agent is bound, and its archived agents with everything that belongs to them.
/// The tasks of agents that are bound to other runtimes are kept (CountActiveAgentsByRuntime,
/// DeleteArchivedAgentsByRuntime, DeleteAgentRuntime). Tasks in flight on the runtime are failed first, with all
/// consequences.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_runtime(runtime_id: Option<Uuid>) -> Composite<RuntimeDeleted> {
    call(|call| {
        let runtime = required("runtime_id", runtime_id)?;
        let workspace = workspace_of(runtime)?;
        without_active_agents(runtime)?;
        lock_with_work(workspace, runtime, &IN_FLIGHT, |wanted| {
            wanted.runtimes.extend(ids(&HOMES, runtime));
            wanted.chat_sessions.extend(history::chats_of(runtime));
        })?;
        workspace_of(runtime)?;
        without_active_agents(runtime)?;
        end_work(runtime, &IN_FLIGHT, call);
        let kept = history::move_all(runtime);
        // Recorded before the rows are deleted, because the events describe the tasks as they are in the tables.
        call.record();
        let tasks: i64 = COUNT_TASKS.row(&[arg(runtime)], |row| row.must(1)).unwrap_or_default();
        let agents = unless_referred_to("an archived agent of the runtime", || DELETE_ARCHIVED.run(&[arg(runtime)]));
        let deleted = unless_referred_to(format!("runtime {runtime}"), || delete_runtimes(vec![runtime]));
        if deleted.is_empty() {
            return Err(Error::kept_out(
                format!("runtime {runtime} could not be deleted"),
                "A trigger on agent_runtime keeps the row.",
            ));
        }
        call.runtimes("delete", [(workspace, runtime)]);
        Ok(Composite::of(&[
            ("agents_deleted", arg(agents as i64)),
            ("tasks_deleted", arg(tasks)),
            ("tasks_kept", arg(kept as i64)),
        ]))
    })
}

/// Deletes the archived agents of a runtime with everything that belongs to them (DeleteArchivedAgentsByRuntime);
/// returns how many. Their tasks in flight are failed first, with all consequences.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_archived_agents(runtime_id: Option<Uuid>) -> i64 {
    call(|call| {
        let runtime = required("runtime_id", runtime_id)?;
        let workspace = workspace_of(runtime)?;
        lock_with_work(workspace, runtime, &IN_FLIGHT_OF_ARCHIVED, |_| ())?;
        end_work(runtime, &IN_FLIGHT_OF_ARCHIVED, call);
        Ok(unless_referred_to("an archived agent of the runtime", || DELETE_ARCHIVED.run(&[arg(runtime)])) as i64)
    })
}
