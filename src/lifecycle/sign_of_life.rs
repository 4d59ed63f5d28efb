//! Signs of life that a task itself gives while it runs, and its progress. The time of the last sign is in the task, or
//! in `multica_task_progress` where tasks have no column for it; the progress is always there.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::features::Feature;
use super::records;
use super::rows_in_work;
use super::writer::Writer;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::settings;

static IS_DUE: Statement = Statement::volatile(sql!("lifecycle/sign_of_life/is_due.sql"));
static STORE: Statement = Statement::volatile(sql!("lifecycle/sign_of_life/store.sql"));
static OF_ENDED_TASKS: Statement =
    Statement::volatile(sql!("lifecycle/sign_of_life/of_ended_tasks.sql")).in_index_order().by_id();
static FORGET: Statement = Statement::volatile(sql!("lifecycle/sign_of_life/forget.sql"));
static AHEAD: Statement = Statement::volatile(sql!("lifecycle/sign_of_life/ahead_of_clock.sql")).in_index_order();
static SIGNED_NOW: Statement = Statement::volatile(sql!("lifecycle/sign_of_life/signed_now.sql"));

/// Stores that a task gave a sign of life at `now`, with its progress if that is to be recorded. The caller holds the
/// task, and has written the time there if the task has a column for it.
pub fn store(task: Uuid, progress: Option<Jsonb>, now: TimestampWithTimeZone) {
    if progress.is_some() || !Feature::TaskBeat.is_present() {
        STORE.run(&[arg(task), arg(now), arg(progress)]);
    }
}

/// As [`store`], for a call that does something else, and works until install has made the table.
pub fn store_beside(task: Uuid, now: TimestampWithTimeZone) {
    if Feature::Signs.is_present() {
        store(task, None, now);
    }
}

/// Whether an event is to be recorded of this progress: it differs from the last one that was recorded, and that was
/// recorded at least `multica.progress_interval` ago.
pub fn is_due(task: Uuid, progress: Jsonb, now: TimestampWithTimeZone) -> bool {
    let args = [arg(task), arg(progress), arg(now), arg(settings::progress_interval_secs())];
    IS_DUE.row(&args, |row| row.must(1)).unwrap_or_default()
}

/// Sets signs that are in the future to now, because the clock was set back, where tasks have no column for them: at
/// most `limit`.
pub fn begin_now(limit: i64, now: TimestampWithTimeZone, writer: &mut Writer) {
    if Feature::TaskBeat.is_present() {
        return;
    }
    let ahead: Vec<Uuid> = AHEAD.rows(&[arg(now), arg(writer.exclude()), arg(limit)], |row| row.must(1));
    writer.rows(&ahead, |piece| {
        rows_in_work::set(piece);
        SIGNED_NOW.run(&[arg(piece.to_vec()), arg(now)])
    });
}

/// Deletes what is stored about tasks that have ended, at most `limit` rows; returns whether there may be more.
pub fn forget(limit: i64, writer: &mut Writer) -> bool {
    records::forget(&OF_ENDED_TASKS, &FORGET, limit, writer)
}
