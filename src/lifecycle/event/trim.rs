//! Trims the event log: old events are deleted, and the id of the last trimmed event is recorded for readers.

use pgrx::prelude::*;

use super::log::lock_state;
use super::lowest_held;
use crate::lifecycle::rows_in_work;
use crate::lifecycle::writer::Writer;
use crate::postgres::statement::{Statement, arg};
use crate::settings;

static CAN_LEAVE_BEHIND: Statement = Statement::stable(sql!("lifecycle/event/can_leave_behind.sql"));
static DUE: Statement = Statement::volatile(sql!("lifecycle/event/due.sql"));
static TRIM: Statement = Statement::volatile(sql!("lifecycle/event/trim.sql"));
static FORGET_REFUSED: Statement = Statement::volatile(sql!("lifecycle/event/forget_refused.sql"));

/// An event that a named reader has not taken is kept for at most this many times the retention.
const LONGEST_RETENTION: f64 = 10.0;

/// Deletes at most `limit` of the oldest events that are due; returns whether there may be more. An event that cannot
/// be deleted stays in the table, but counts as trimmed for readers.
pub fn trim(now: TimestampWithTimeZone, limit: i64, writer: &mut Writer) -> bool {
    let retention = settings::event_retention_secs();
    let args = [
        arg(now),
        arg(retention),
        arg(retention * LONGEST_RETENTION),
        arg(limit),
        arg(lowest_held().unwrap_or(i64::MAX)),
    ];
    let due: Vec<(i64, bool)> = DUE.rows(&args, |row| (row.must(1), row.must(2)));
    if due.is_empty() || writer.is_in_pieces() && !can_leave_behind() {
        return false;
    }
    if !lock_state() {
        return false;
    }
    let ids: Vec<i64> = due.iter().map(|(id, _)| *id).collect();
    let was_refused = due.iter().any(|(_, is_again)| *is_again);
    let gone: i64 = writer
        .rows(&ids, |piece| {
            // From here on no runtime or task can be the cause of an error.
            rows_in_work::clear();
            let gone: i64 = TRIM.row(&[arg(piece.to_vec())], |row| row.must(1)).unwrap_or_default();
            if was_refused {
                FORGET_REFUSED.run(&[]);
            }
            gone
        })
        .into_iter()
        .sum();
    gone >= limit
}

/// Whether there is a column for events that could not be trimmed. Without it these events would never be tried again.
fn can_leave_behind() -> bool {
    CAN_LEAVE_BEHIND.row(&[], |row| row.must(1)) == Some(true)
}
