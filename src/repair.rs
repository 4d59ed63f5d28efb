//! What sweeps set right that no call of ours has left wrong: rows that others deleted or moved.

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::json;

use crate::event::Events;
use crate::failure;
use crate::lock;
use crate::spi::{Statement, arg};
use crate::task::bring_home;
use crate::writer::Writer;

static LEFT_BEHIND: Statement =
    Statement::write(include_str!("../sql/repair/left_behind.sql")).in_index_order();
static LOCK_LEFT_BEHIND: Statement =
    Statement::write(include_str!("../sql/repair/lock_left_behind.sql")).by_id();
static WITHOUT_WORK: Statement =
    Statement::write(include_str!("../sql/repair/without_work.sql")).in_index_order();

/// What was set right, and whether there may be more.
#[derive(Default)]
pub struct Repaired {
    /// Tasks or agents changed.
    pub changed: i64,
    /// Whether a bound was hit.
    pub more: bool,
}

impl Repaired {
    /// `found` rows were looked at of at most `most`.
    fn of(changed: usize, found: usize, most: i64) -> Self {
        Self {
            changed: changed as i64,
            more: changed > 0 && found as i64 >= most,
        }
    }
}

/// Moves at most `most` tasks that wait on an offline runtime to the runtimes where their agents live now. Rows that others
/// hold, or that cannot be written, are passed over. Events are recorded with each piece, of the sweep of `events`.
pub fn tasks_left_behind(
    most: i64,
    now: TimestampWithTimeZone,
    writer: &mut Writer,
    events: &Events,
) -> Repaired {
    let found: Vec<Uuid> =
        LEFT_BEHIND.rows(&[arg(most), arg(writer.leave_out())], |row| row.must(1));
    let moved = writer.rows(&found, |piece| {
        failure::hold(piece);
        let locked: Vec<(Uuid, Uuid)> =
            LOCK_LEFT_BEHIND.rows(&[arg(piece.to_vec())], |row| (row.must(1), row.must(2)));
        let (tasks, homes): (Vec<_>, Vec<_>) = locked.into_iter().unzip();
        if tasks.is_empty() {
            return 0;
        }
        let mut told = events.none_yet();
        let moved = bring_home(tasks, homes, &mut told);
        record(told, now);
        moved
    });
    Repaired::of(moved.into_iter().sum(), found.len(), most)
}

/// Sets at most `most` agents to idle that are shown as working and have nothing in flight, otherwise as
/// [`tasks_left_behind`].
pub fn agents_without_work(
    most: i64,
    now: TimestampWithTimeZone,
    writer: &mut Writer,
    events: &Events,
) -> Repaired {
    let found: Vec<Uuid> =
        WITHOUT_WORK.rows(&[arg(most), arg(writer.leave_out())], |row| row.must(1));
    let changed = writer.rows(&found, |piece| {
        failure::hold(piece);
        let free = lock::try_agents(piece);
        if free.is_empty() {
            return 0;
        }
        let changed = failure::reconcile(&free, now);
        let mut told = events.none_yet();
        for agent in &changed {
            told.push("agent:status", *agent, json!({}));
        }
        record(told, now);
        changed.len()
    });
    Repaired::of(changed.into_iter().sum(), found.len(), most)
}

fn record(events: Events, now: TimestampWithTimeZone) {
    // From here on no row is to blame for an error.
    failure::hold(&[]);
    events.record(now);
}
