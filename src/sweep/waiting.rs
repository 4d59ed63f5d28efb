//! The stages that fail tasks which no daemon has yet: deferred retries whose runtime did not come back, and queued
//! tasks that nobody claimed.

use pgrx::Uuid;

use super::limits::Limits;
use crate::lifecycle::consequences::{QUEUED_EXPIRED, RECONNECT_TIMEOUT, Reason};
use crate::lifecycle::event::Call;
use crate::lifecycle::lock_set;
use crate::lifecycle::verdict::{Verdict, fail_waiting_with_consequences};
use crate::lifecycle::writer::Writer;
use crate::postgres::statement::{Statement, arg};

static EXPIRED_RETRIES: Statement = Statement::volatile(sql!("sweep/expired_retries.sql")).in_index_order();
static EXPIRED_IN_QUEUE: Statement = Statement::volatile(sql!("sweep/expired_in_queue.sql")).in_index_order();
static LOCK_WAITING: Statement = Statement::volatile(sql!("sweep/lock_waiting.sql")).by_id();

/// Fails at most `limit` deferred retries whose runtime did not come back within the grace. The second value is whether
/// there may be more.
pub fn fail_expired_retries(limits: &Limits, limit: i64, writer: &mut Writer, call: &Call) -> (Verdict, bool) {
    let args = [arg(call.now()), arg(limits.reconnect_grace()), arg(limits.stale), arg(writer.exclude()), arg(limit)];
    let found = EXPIRED_RETRIES.rows(&args, |row| row.must(1));
    fail(found, "deferred", &RECONNECT_TIMEOUT, limit, writer, call)
}

/// Fails at most `limit` tasks that could have been claimed for longer than the limit and were not. The second value is
/// whether there may be more.
pub fn fail_expired_in_queue(limits: &Limits, limit: i64, writer: &mut Writer, call: &Call) -> (Verdict, bool) {
    let args = [
        arg(call.now()),
        arg(limits.queued_ttl),
        arg(limits.stale),
        arg(limits.grace),
        arg(writer.exclude()),
        arg(limit),
    ];
    let found = EXPIRED_IN_QUEUE.rows(&args, |row| row.must(1));
    fail(found, "queued", &QUEUED_EXPIRED, limit, writer, call)
}

/// Fails those of the tasks that still have the status and whose rows no other session holds.
fn fail(
    found: Vec<Uuid>,
    status: &str,
    reason: &Reason,
    limit: i64,
    writer: &mut Writer,
    call: &Call,
) -> (Verdict, bool) {
    if found.is_empty() {
        return (Verdict::default(), false);
    }
    let is_full = found.len() as i64 >= limit;
    let locked: Vec<Uuid> = LOCK_WAITING.rows(&[arg(found), arg(status)], |row| row.must(1));
    let tasks = lock_set::try_tasks(&locked);
    let verdict = fail_waiting_with_consequences(&tasks, reason, writer, call);
    let more = is_full && !verdict.failed.is_empty();
    (verdict, more)
}
