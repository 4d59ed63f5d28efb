//! Completes what another program left undone. A server fails a task in one transaction and writes its retry, its issue
//! and its run in later ones, so a crash between them leaves work that nothing continues.
//!
//! Every failed task is searched once: the sweep stores the position that it has reached, in the transaction in which it
//! writes what was missing. The position stays before the first task that the sweep has not handled, because another
//! session holds a row or because a row was refused.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::stages::handle_failed;
use crate::lifecycle::consequences::{
    Consequences, QUEUED_EXPIRED, RECONNECT_TIMEOUT, RUNTIME_OFFLINE, RUNTIME_RECOVERY, Reason, TIMEOUT,
};
use crate::lifecycle::event::{self, Call};
use crate::lifecycle::lock_set;
use crate::lifecycle::writer::Writer;
use crate::postgres::statement::{Statement, arg};

static BOUNDS: Statement = Statement::volatile(sql!("sweep/finish_bounds.sql")).one_by_one();
static LEFT_BY_OTHERS: Statement = Statement::volatile(sql!("sweep/left_by_others.sql")).one_by_one();
static LOCK_FAILED: Statement = Statement::volatile(sql!("sweep/lock_failed.sql")).by_id();
static FINISHED_TO: Statement = Statement::volatile(sql!("sweep/finished_to.sql"));

/// Reasons that only sweeps and recoveries write: a task that its own daemon failed got its retry in one transaction.
const RETRIED: [&Reason; 3] = [&RUNTIME_OFFLINE, &RUNTIME_RECOVERY, &TIMEOUT];
const NOT_RETRIED: [&Reason; 2] = [&QUEUED_EXPIRED, &RECONNECT_TIMEOUT];

/// Greater than the id of every task.
const LAST_ID: [u8; 16] = [u8::MAX; 16];

/// A place in the order of failed tasks.
#[derive(Clone, Copy, PartialEq)]
struct Position {
    ended_at: TimestampWithTimeZone,
    id: Uuid,
}

/// Which failed tasks are searched.
struct Bounds {
    from: Position,
    through: TimestampWithTimeZone,
    /// Whether the position must be stored even if nothing is found.
    is_far: bool,
}

impl Bounds {
    /// Returns None if the position cannot be stored, because every sweep would then search everything again.
    fn of(finish_after: f64, now: TimestampWithTimeZone) -> Option<Self> {
        BOUNDS.row(&[arg(now), arg(finish_after)], |row| {
            let can_store: bool = row.required("can_store");
            can_store.then(|| Self {
                from: Position { ended_at: row.required("from_time"), id: row.required("from_id") },
                through: row.required("through"),
                is_far: row.required("is_far"),
            })
        })?
    }
}

/// Completes the consequences of at most `limit` tasks that another program failed at least `finish_after` seconds ago.
/// Returns what it added, and whether there may be more.
pub fn finish_left_by_others(finish_after: f64, limit: i64, writer: &mut Writer, call: &Call) -> (Consequences, bool) {
    let mut done = Consequences::default();
    let Some(bounds) = Bounds::of(finish_after, call.now()) else {
        return (done, false);
    };
    let words = |reasons: &[&Reason]| reasons.iter().map(|reason| reason.word.to_string()).collect::<Vec<String>>();
    let args = [
        arg(bounds.from.ended_at),
        arg(bounds.from.id),
        arg(bounds.through),
        arg(words(&RETRIED)),
        arg(words(&NOT_RETRIED)),
        arg(limit),
    ];
    let found: Vec<Position> = LEFT_BY_OTHERS.rows(&args, |row| Position { id: row.must(1), ended_at: row.must(2) });
    let is_full = found.len() as i64 >= limit;
    let ids: Vec<Uuid> = found.iter().map(|task| task.id).collect();
    let mut handled = HashSet::new();
    if !ids.is_empty() {
        let locked: Vec<Uuid> = LOCK_FAILED.rows(&[arg(ids)], |row| row.must(1));
        let mut free = lock_set::try_tasks(&locked);
        let passed_over = writer.exclude();
        free.retain(|task| !passed_over.contains(task));
        let pieces = writer.parts(&free, call, |piece, part| (piece.to_vec(), handle_failed(piece.to_vec(), part)));
        for (tasks, consequences) in pieces {
            handled.extend(tasks);
            done += consequences;
        }
    }
    let reached = reached(&bounds, &found, &handled, is_full);
    if (!found.is_empty() || bounds.is_far) && reached != bounds.from {
        writer.beside(|| {
            if event::lock_state() {
                FINISHED_TO.run(&[arg(reached.ended_at), arg(reached.id)]);
            }
        });
    }
    (done, is_full && reached != bounds.from)
}

/// Returns the position after which the next sweep searches.
fn reached(bounds: &Bounds, found: &[Position], handled: &HashSet<Uuid>, is_full: bool) -> Position {
    let left = found.iter().position(|task| !handled.contains(&task.id));
    match left {
        Some(0) => bounds.from,
        Some(first) => found[first - 1],
        None if is_full => *found.last().expect("a full batch has tasks"),
        None => Position { ended_at: bounds.through, id: Uuid::from_bytes(LAST_ID) },
    }
}
