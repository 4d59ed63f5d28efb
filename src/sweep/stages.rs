//! The stages that fail tasks, and the SQL-callable functions that fail tasks in the same way.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::backlog::{self, Arguments, Cursor, OF_OFFLINE, OF_TIMED_OUT};
use super::limits::Limits;
use crate::argument::{bound, elements, grace, optional_elements, required, seconds};
use crate::error::Result;
use crate::lifecycle::consequences::{self, Consequences};
use crate::lifecycle::event::{Call, TaskSnapshot, call};
use crate::lifecycle::existence::workspace_of;
use crate::lifecycle::incarnation;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::rows_in_work;
use crate::lifecycle::thresholds;
use crate::lifecycle::unnamed;
use crate::lifecycle::verdict::{Verdict, fail_with_consequences, orphans_of, recover, still_orphans};
use crate::lifecycle::writer::{self, Writer};
use crate::postgres::composite::{Composite, set};
use crate::postgres::deferred;
use crate::postgres::statement::{Statement, arg};

use crate::task;
use crate::types;

static OFFLINE: Statement = Statement::volatile(sql!("sweep/offline_candidates.sql")).in_index_order();
static TIMED_OUT: Statement = Statement::volatile(sql!("sweep/timed_out_candidates.sql")).in_index_order();
static AHEAD: Statement = Statement::volatile(sql!("sweep/ahead_of_clock.sql")).in_index_order();
static BEGINS_NOW: Statement = Statement::volatile(sql!("sweep/begins_now.sql")).by_id();
static FAILED: Statement = Statement::volatile(sql!("sweep/failed.sql"));
static UNLOGGED: Statement = Statement::volatile(sql!("sweep/without_failed_event.sql"));

extension_sql_file!(
    "../../sql/extension/comments/recovery.sql",
    name = "recovery_comments",
    requires = [
        multica_fail_tasks_for_offline_runtimes,
        multica_fail_stale_tasks,
        multica_recover_orphans_since_0_4,
        multica_handle_failed_tasks
    ]
);

/// Returns the arguments of the search for tasks of offline runtimes that were silent for longer than `secs`.
fn of_offline(secs: f64, now: TimestampWithTimeZone) -> impl Arguments {
    let grace = (secs > 0.0).then_some(secs);
    move |seen, limit, Cursor(from, _)| vec![arg(now), arg(grace), arg(seen), arg(limit), arg(from)]
}

/// Returns the arguments of the search for tasks that were dispatched or running for too long.
fn timed_out(limits: Limits, now: TimestampWithTimeZone) -> impl Arguments {
    move |seen, limit, Cursor(dispatched, running)| {
        vec![
            arg(now),
            arg(limits.dispatch),
            arg(limits.running),
            arg(seen),
            arg(limit),
            arg(dispatched),
            arg(running),
            arg(limits.stale),
            arg(limits.grace),
        ]
    }
}

/// Fails the next tasks of offline runtimes in a sweep, at most `limit`. The second value is whether there may be more.
pub fn fail_of_offline(grace_secs: f64, limit: i64, writer: &mut Writer, call: &Call) -> (Verdict, bool) {
    if !OF_OFFLINE.is_in_turn(&OF_TIMED_OUT) {
        return (Verdict::default(), false);
    }
    let question = of_offline(grace_secs, call.now());
    let next = OF_OFFLINE.next(&OFFLINE, &writer.exclude(), limit, question);
    let verdict = fail_with_consequences(&next.tasks, &consequences::RUNTIME_OFFLINE, writer, call);
    (verdict, next.more)
}

/// Sets the times of tasks that began in the future to now: at most `limit` tasks, or all.
fn begin_now(limit: Option<i64>, now: TimestampWithTimeZone, writer: &mut Writer) {
    let args = [arg(now), arg(writer.exclude()), arg(limit)];
    let ahead: Vec<Uuid> = AHEAD.rows(&args, |row| row.must(1));
    writer.rows(&ahead, |piece| {
        rows_in_work::set(piece);
        BEGINS_NOW.run(&[arg(piece.to_vec()), arg(now)])
    });
}

/// Fails the next tasks that were dispatched or running for too long, as [`fail_of_offline`].
pub fn fail_timed_out(limits: &Limits, limit: i64, writer: &mut Writer, call: &Call) -> (Verdict, bool) {
    let now = call.now();
    if !OF_TIMED_OUT.is_in_turn(&OF_OFFLINE) {
        return (Verdict::default(), false);
    }
    // This search reads every task in flight, so only the first batch of a backlog makes it.
    if !OF_TIMED_OUT.has_begun() {
        begin_now(Some(limit), now, writer);
    }
    let question = timed_out(*limits, now);
    let next = OF_TIMED_OUT.next(&TIMED_OUT, &writer.exclude(), limit, question);
    let verdict = fail_with_consequences(&next.tasks, &consequences::TIMEOUT, writer, call);
    (verdict, next.more)
}

/// Applies the consequences to those of the tasks that are failed. The caller holds the locks. A task:failed event is
/// recorded only for a task that has none.
pub fn handle_failed(tasks: Vec<Uuid>, call: &mut Call) -> Consequences {
    let failed = TaskSnapshot::read(&FAILED, &[arg(tasks)]);
    let ids: Vec<Uuid> = failed.iter().map(TaskSnapshot::id).collect();
    let workspaces: Vec<Option<Uuid>> = failed.iter().map(TaskSnapshot::workspace).collect();
    let unlogged: HashSet<Uuid> = UNLOGGED.rows(&[arg(ids), arg(workspaces)], |row| row.must(1)).into_iter().collect();
    consequences::apply_consequences(&failed, |task| unlogged.contains(&task), call)
}

fn tasks(ids: Vec<Uuid>) -> SetOfIterator<'static, Composite<types::Task>> {
    set(task::get_many(ids))
}

/// Fails the tasks in flight of every runtime that is offline and was silent for longer than the grace, with all
/// consequences (FailTasksForOfflineRuntimes). Rows that other sessions hold are skipped.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_fail_tasks_for_offline_runtimes(
    grace_secs: default!(Option<f64>, "NULL"),
    max_tasks: default!(Option<i32>, "NULL"),
) -> SetOfIterator<'static, Composite<types::Task>> {
    call(|call| {
        let grace = match grace_secs {
            Some(secs) => grace("grace_secs", secs)?,
            None => thresholds::offline_grace().secs,
        };
        let limit = bound("max_tasks", max_tasks)?;
        let now = call.now();
        let verdict = writer::write(now, |writer| {
            let taken = backlog::take(&OFFLINE, &writer.exclude(), limit, of_offline(grace, now));
            let reason = &consequences::RUNTIME_OFFLINE;
            fail_with_consequences(&taken, reason, writer, call)
        });
        Ok(tasks(verdict.failed))
    })
}

/// Fails tasks that were dispatched or running for too long, with all consequences. Rows that other sessions hold are
/// skipped.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_fail_stale_tasks(
    dispatch_timeout_secs: Option<f64>,
    running_timeout_secs: Option<f64>,
    max_tasks: default!(Option<i32>, "NULL"),
) -> SetOfIterator<'static, Composite<types::Task>> {
    call(|call| {
        let dispatch = seconds("dispatch_timeout_secs", dispatch_timeout_secs)?;
        let running = seconds("running_timeout_secs", running_timeout_secs)?;
        let limit = bound("max_tasks", max_tasks)?;
        let now = call.now();
        let verdict = writer::write(now, |writer| {
            begin_now(limit, now, writer);
            let question = timed_out(Limits { dispatch, running, ..Limits::in_force(None) }, now);
            let late = backlog::take(&TIMED_OUT, &writer.exclude(), limit, question);
            fail_with_consequences(&late, &consequences::TIMEOUT, writer, call)
        });
        Ok(tasks(verdict.failed))
    })
}

/// Fails the tasks that the previous daemon process of a runtime left in flight, except those that the daemon still
/// runs, and except those that the process with the incarnation has claimed itself, with all consequences.
#[pg_extern(name = "multica_recover_orphans")]
#[search_path(@extschema@, pg_temp)]
fn multica_recover_orphans_since_0_4(
    runtime_id: Option<Uuid>,
    running_task_ids: default!(Option<Vec<Option<Uuid>>>, "NULL"),
    incarnation: default!(Option<Uuid>, "NULL"),
) -> Composite<types::Recovered> {
    call(|call| recover_orphans(runtime_id, running_task_ids, incarnation, call))
}

/// Fails the orphans of a runtime, for a process with this incarnation if one is given.
pub fn recover_orphans(
    runtime_id: Option<Uuid>,
    running_task_ids: Option<Vec<Option<Uuid>>>,
    incarnation: Option<Uuid>,
    call: &mut Call,
) -> Result<Composite<types::Recovered>> {
    let runtime = required("runtime_id", runtime_id)?;
    let running = optional_elements("running_task_ids", running_task_ids)?.unwrap_or_default();
    workspace_of(runtime)?;
    if let Some(process) = incarnation {
        incarnation::check(runtime, process)?;
    }
    let orphans = orphans_of(&[runtime], &running, incarnation);
    LockSet::of_tasks(orphans.clone()).acquire()?;
    // While the call waited, another process may have registered and claimed; its tasks are no orphans.
    if let Some(process) = incarnation {
        incarnation::hold(runtime, process)?;
    }
    let orphans = still_orphans(orphans, &[runtime], &running, incarnation);
    let verdict = recover(&orphans, call, !deferred::is_pending_before());
    unnamed::named(running);
    Ok(Composite::of(&[
        ("orphaned", arg(verdict.failed.len() as i64)),
        ("retried", arg(verdict.consequences.retried())),
    ]))
}

/// Applies the consequences to tasks that an application failed with its own SQL. A second call with the same tasks
/// does nothing.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_handle_failed_tasks(task_ids: Option<Vec<Option<Uuid>>>) -> Composite<types::Consequences> {
    call(|call| {
        let given = elements("task_ids", task_ids)?;
        LockSet::of_tasks(given.clone()).acquire()?;
        let done = handle_failed(given, call);
        Ok(Composite::of(&[
            ("retried", arg(done.retried())),
            ("issues_reset", arg(done.issues_reset)),
            ("agents_reconciled", arg(done.agents_reconciled)),
        ]))
    })
}
