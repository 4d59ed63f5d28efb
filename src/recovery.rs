//! The stages that fail tasks, each a call that exists as a function of its own.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::{bound, elements, grace, optional_elements, required, seconds};
use crate::backlog::{self, OF_OFFLINE, OF_TIMED_OUT, Place, Question};
use crate::clock;
use crate::deferred;
use crate::entry::entry;
use crate::event::{Events, Told};
use crate::failure::{self, Consequences, Reason};
use crate::kind;
use crate::lock::Wanted;
use crate::many;
use crate::row::{Composite, set};
use crate::runtime;
use crate::settings;
use crate::spi::{Statement, arg};
use crate::writer::{self, Writer};

static OFFLINE: Statement =
    Statement::write(include_str!("../sql/failure/offline_candidates.sql")).in_index_order();
static TIMED_OUT: Statement =
    Statement::write(include_str!("../sql/failure/timed_out_candidates.sql")).in_index_order();
static AHEAD: Statement =
    Statement::write(include_str!("../sql/failure/ahead_of_clock.sql")).in_index_order();
static BEGINS_NOW: Statement =
    Statement::write(include_str!("../sql/failure/begins_now.sql")).by_id();
static ORPHANS: Statement = Statement::write(include_str!("../sql/failure/orphan_candidates.sql"));
static FAILED: Statement = Statement::write(include_str!("../sql/failure/failed.sql"));
static UNLOGGED: Statement = Statement::write(include_str!("../sql/failure/unlogged.sql"));
static TASKS: Statement = Statement::write(include_str!("../sql/failure/tasks.sql")).by_id();

extension_sql_file!(
    "../sql/install/comments/recovery.sql",
    name = "recovery_comments",
    requires = [
        multica_fail_tasks_for_offline_runtimes,
        multica_fail_stale_tasks,
        multica_recover_orphans,
        multica_handle_failed_tasks
    ]
);

/// Tasks that a stage failed, and what followed.
#[derive(Default)]
pub struct Verdict {
    /// Tasks failed.
    pub failed: Vec<Uuid>,
    /// What followed.
    pub consequences: Consequences,
}

/// Of the orphans that were locked, those that still are: one may have been moved to another runtime meanwhile.
pub fn still_orphans(locked: Vec<Uuid>, runtimes: &[Uuid], running: &[Uuid]) -> Vec<Uuid> {
    let now: HashSet<Uuid> = orphans_of(runtimes, running).into_iter().collect();
    locked
        .into_iter()
        .filter(|task| now.contains(task))
        .collect()
}

/// Fails tasks whose locks are held, and lets the pipeline follow.
pub fn verdict(
    tasks: Vec<Uuid>,
    reason: &Reason,
    now: TimestampWithTimeZone,
    events: &mut Events,
) -> Verdict {
    if tasks.is_empty() {
        return Verdict::default();
    }
    let failed = failure::fail(tasks, reason, now);
    let consequences = failure::follow(&failed, |_| true, now, events);
    Verdict {
        failed: failed.iter().map(Told::id).collect(),
        consequences,
    }
}

/// A verdict on tasks whose locks are held, passing over those that cannot be written. Each piece that `writer` makes has its
/// events recorded with it; they are of the sweep of `events`.
pub fn judge(
    tasks: &[Uuid],
    reason: &Reason,
    now: TimestampWithTimeZone,
    writer: &mut Writer,
    events: &Events,
) -> Verdict {
    let mut all = Verdict::default();
    let verdicts = writer.rows(tasks, |piece| {
        let mut events = events.none_yet();
        let verdict = verdict(piece.to_vec(), reason, now, &mut events);
        // From here on no task is to blame for an error.
        failure::hold(&[]);
        events.record(now);
        verdict
    });
    for verdict in verdicts {
        all.failed.extend(verdict.failed);
        all.consequences += verdict.consequences;
    }
    writer.keep_out(tasks, all.failed.iter().copied());
    all
}

/// Tasks of offline runtimes that were unseen for longer than `secs`.
fn of_offline(secs: f64, now: TimestampWithTimeZone) -> impl Question {
    let grace = (secs > 0.0).then_some(secs);
    move |seen, most, Place(from, _)| vec![arg(now), arg(grace), arg(seen), arg(most), arg(from)]
}

/// Tasks that were dispatched or running for too long.
fn timed_out(dispatch_secs: f64, running_secs: f64, now: TimestampWithTimeZone) -> impl Question {
    move |seen, most, Place(dispatched, running)| {
        vec![
            arg(now),
            arg(dispatch_secs),
            arg(running_secs),
            arg(seen),
            arg(most),
            arg(dispatched),
            arg(running),
        ]
    }
}

/// A sweep's next tasks of offline runtimes, at most `most`. The second value says whether there may be more.
pub fn fail_of_offline(
    grace_secs: f64,
    most: i64,
    now: TimestampWithTimeZone,
    writer: &mut Writer,
    events: &Events,
) -> (Verdict, bool) {
    let question = of_offline(grace_secs, now);
    let next = OF_OFFLINE.next(&OFFLINE, &writer.leave_out(), most, question);
    let verdict = judge(&next.tasks, &failure::RUNTIME_OFFLINE, now, writer, events);
    (verdict, next.more)
}

/// Has the time of tasks that began later than now begin now: at most `most`, or all.
fn begin_now(most: Option<i64>, now: TimestampWithTimeZone, writer: &mut Writer) {
    let args = [arg(now), arg(writer.leave_out()), arg(most)];
    let ahead: Vec<Uuid> = AHEAD.rows(&args, |row| row.must(1));
    writer.rows(&ahead, |piece| {
        failure::hold(piece);
        BEGINS_NOW.run(&[arg(piece.to_vec()), arg(now)])
    });
}

/// A sweep's next tasks that were dispatched or running for too long, as [`fail_of_offline`].
pub fn fail_timed_out(
    dispatch_secs: f64,
    running_secs: f64,
    most: i64,
    now: TimestampWithTimeZone,
    writer: &mut Writer,
    events: &Events,
) -> (Verdict, bool) {
    begin_now(Some(most), now, writer);
    let question = timed_out(dispatch_secs, running_secs, now);
    let next = OF_TIMED_OUT.next(&TIMED_OUT, &writer.leave_out(), most, question);
    let verdict = judge(&next.tasks, &failure::TIMEOUT, now, writer, events);
    (verdict, next.more)
}

/// A verdict on orphans whose locks are held. One that cannot be written stays in flight, and is told in a WARNING; a sweep
/// fails it once it has run for too long. `checks_deferred`: as [`writer::attempt`].
pub fn recover(orphans: &[Uuid], now: TimestampWithTimeZone, checks_deferred: bool) -> Verdict {
    if orphans.is_empty() {
        return Verdict::default();
    }
    many::write(orphans, checks_deferred, |piece| {
        let mut events = Events::default();
        let verdict = verdict(piece.to_vec(), &failure::RUNTIME_RECOVERY, now, &mut events);
        events.record(now);
        verdict
    })
}

/// What is in flight on the runtimes and not in `running`: read without locks.
pub fn orphans_of(runtimes: &[Uuid], running: &[Uuid]) -> Vec<Uuid> {
    ORPHANS.rows(&[arg(runtimes.to_vec()), arg(running.to_vec())], |row| {
        row.must(1)
    })
}

fn tasks(ids: Vec<Uuid>) -> SetOfIterator<'static, Composite<kind::Task>> {
    set(TASKS.rows(&[arg(ids)], Composite::from_row))
}

/// Fails the tasks in flight of every runtime that is offline and was unseen for longer than the grace, and lets the
/// pipeline follow (FailTasksForOfflineRuntimes). Rows that others hold are skipped.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_fail_tasks_for_offline_runtimes(
    grace_secs: default!(Option<f64>, "NULL"),
    max_tasks: default!(Option<i32>, "NULL"),
) -> SetOfIterator<'static, Composite<kind::Task>> {
    entry(|| {
        let grace = match grace_secs {
            Some(secs) => grace("grace_secs", secs)?,
            None => settings::offline_grace_secs(),
        };
        let most = bound("max_tasks", max_tasks)?;
        let now = clock::now();
        let verdict = writer::write(now, |writer| {
            let taken = backlog::take(&OFFLINE, &writer.leave_out(), most, of_offline(grace, now));
            let reason = &failure::RUNTIME_OFFLINE;
            judge(&taken, reason, now, writer, &Events::default())
        });
        Ok(tasks(verdict.failed))
    })
}

/// Fails tasks that were dispatched or running for too long, and lets the pipeline follow. Rows that others hold are
/// skipped.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_fail_stale_tasks(
    dispatch_timeout_secs: Option<f64>,
    running_timeout_secs: Option<f64>,
    max_tasks: default!(Option<i32>, "NULL"),
) -> SetOfIterator<'static, Composite<kind::Task>> {
    entry(|| {
        let dispatch = seconds("dispatch_timeout_secs", dispatch_timeout_secs)?;
        let running = seconds("running_timeout_secs", running_timeout_secs)?;
        let most = bound("max_tasks", max_tasks)?;
        let now = clock::now();
        let verdict = writer::write(now, |writer| {
            begin_now(most, now, writer);
            let question = timed_out(dispatch, running, now);
            let late = backlog::take(&TIMED_OUT, &writer.leave_out(), most, question);
            judge(&late, &failure::TIMEOUT, now, writer, &Events::default())
        });
        Ok(tasks(verdict.failed))
    })
}

/// Fails what the previous daemon process of a runtime left in flight, except what the daemon says it still runs, and
/// lets the pipeline follow.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_recover_orphans(
    runtime_id: Option<Uuid>,
    running_task_ids: default!(Option<Vec<Option<Uuid>>>, "NULL"),
) -> Composite<kind::Recovered> {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        let running = optional_elements("running_task_ids", running_task_ids)?.unwrap_or_default();
        runtime::workspace_of(runtime)?;
        let now = clock::now();
        let orphans = orphans_of(&[runtime], &running);
        Wanted::of_tasks(orphans.clone()).take();
        let orphans = still_orphans(orphans, &[runtime], &running);
        let verdict = recover(&orphans, now, !deferred::is_pending_before());
        Ok(Composite::of(&[
            ("orphaned", arg(verdict.failed.len() as i64)),
            ("retried", arg(verdict.consequences.retried())),
        ]))
    })
}

/// The failure pipeline itself, for an application that failed tasks with SQL of its own. Handing the same tasks in
/// twice does nothing the second time.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_handle_failed_tasks(
    task_ids: Option<Vec<Option<Uuid>>>,
) -> Composite<kind::Consequences> {
    entry(|| {
        let given = elements("task_ids", task_ids)?;
        let now = clock::now();
        Wanted::of_tasks(given.clone()).take();
        let failed = Told::read(&FAILED, &[arg(given)]);
        let ids: Vec<Uuid> = failed.iter().map(Told::id).collect();
        let workspaces: Vec<Option<Uuid>> = failed.iter().map(Told::workspace).collect();
        let unlogged: HashSet<Uuid> = UNLOGGED
            .rows(&[arg(ids), arg(workspaces)], |row| row.must(1))
            .into_iter()
            .collect();
        let mut events = Events::default();
        let done = failure::follow(&failed, |task| unlogged.contains(&task), now, &mut events);
        events.record(now);
        Ok(Composite::of(&[
            ("retried", arg(done.retried())),
            ("issues_reset", arg(done.issues_reset)),
            ("agents_reconciled", arg(done.agents_reconciled)),
        ]))
    })
}
