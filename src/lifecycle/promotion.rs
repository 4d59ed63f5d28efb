//! Deferred tasks: they are queued when they are due and their runtime is there. A deferred retry is cancelled when
//! newer work of its issue and agent has come. No step waits for a row or for the pending slot.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::cancellation::cancel;
use super::event::{Call, TaskSnapshot};
use super::{lock_set, rows_in_work};
use crate::postgres::statement::{Statement, arg};

static CANDIDATES: Statement = Statement::volatile(sql!("lifecycle/promotion/candidates.sql")).in_index_order();
static LOCK: Statement = Statement::volatile(sql!("lifecycle/promotion/lock.sql")).by_id();
static CHOOSE: Statement = Statement::volatile(sql!("lifecycle/promotion/choose.sql")).by_id();
static PROMOTE: Statement = Statement::volatile(sql!("lifecycle/promotion/promote.sql")).by_id();

/// Returns at most `limit` deferred tasks, without those in `exclude`, that are due or superseded, on runtimes that
/// were seen within `fresh_secs`; of one runtime or of all. They are read without locks.
pub fn candidates(
    runtime: Option<Uuid>,
    fresh_secs: f64,
    exclude: Vec<Uuid>,
    limit: i64,
    now: TimestampWithTimeZone,
) -> Vec<Uuid> {
    let args = [arg(now), arg(fresh_secs), arg(exclude), arg(limit), arg(runtime)];
    CANDIDATES.rows(&args, |row| row.must(1))
}

/// Cancels those of the deferred tasks that are superseded, and queues those that are due; returns how many tasks
/// changed. Tasks of which another session holds a row are left for later. The issue is locked before the choice, so no
/// other session is inserting a task that takes the pending slot.
pub fn promote(tasks: &[Uuid], call: &mut Call) -> i64 {
    let locked: Vec<Uuid> = LOCK.rows(&[arg(tasks.to_vec())], |row| row.must(1));
    let free = if locked.is_empty() { locked } else { lock_set::try_tasks(&locked) };
    if free.is_empty() {
        return 0;
    }
    rows_in_work::set(&free);
    let chosen: Vec<(Uuid, bool)> = CHOOSE.rows(&[arg(free), arg(call.now())], |row| (row.must(1), row.must(2)));
    let of = |superseded| -> Vec<Uuid> {
        chosen.iter().filter(|(_, is_superseded)| *is_superseded == superseded).map(|(task, _)| *task).collect()
    };
    let (superseded, due) = (of(true), of(false));
    let mut changed = 0;
    if !superseded.is_empty() {
        changed += cancel(superseded, call).len();
    }
    if !due.is_empty() {
        for task in TaskSnapshot::read(&PROMOTE, &[arg(due)]) {
            call.task_queued(&task);
            changed += 1;
        }
    }
    changed as i64
}
