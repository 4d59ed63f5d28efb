//! Sweeps repair rows that became wrong when an application, not this extension, deleted or moved other rows.

use pgrx::Uuid;

use super::consequences;
use super::event::Call;
use super::lock_set;
use super::placement::bring_home;
use super::writer::Writer;
use crate::postgres::statement::{Statement, arg};

static LEFT_BEHIND: Statement = Statement::volatile(sql!("lifecycle/repair/left_behind.sql")).in_index_order();
static DEFERRED_LEFT_BEHIND: Statement =
    Statement::volatile(sql!("lifecycle/repair/deferred_left_behind.sql")).in_index_order();
static LOCK_LEFT_BEHIND: Statement = Statement::volatile(sql!("lifecycle/repair/lock_left_behind.sql")).by_id();
static WITHOUT_WORK: Statement = Statement::volatile(sql!("lifecycle/repair/without_work.sql")).in_index_order();

/// How many rows were repaired, and whether there may be more.
#[derive(Default)]
pub struct Repaired {
    /// Tasks or agents changed.
    pub changed: i64,
    /// Whether the limit was reached.
    pub more: bool,
}

impl Repaired {
    /// `found` rows were checked, of at most `limit`.
    fn of(changed: usize, found: usize, limit: i64) -> Self {
        Self { changed: changed as i64, more: changed > 0 && found as i64 >= limit }
    }
}

/// Moves at most `limit` tasks that wait on a runtime which is offline, or was silent for `gone` seconds, to the runtimes
/// that their agents are bound to now. `deferred`: whether to search deferred tasks too. Rows that other sessions hold,
/// or that cannot be written, are skipped.
pub fn tasks_left_behind(gone: f64, deferred: bool, limit: i64, writer: &mut Writer, call: &Call) -> Repaired {
    let search = |statement: &Statement, limit: i64| -> Vec<Uuid> {
        let args = [arg(limit), arg(writer.exclude()), arg(call.now()), arg(gone)];
        statement.rows(&args, |row| row.must(1))
    };
    let mut found = search(&LEFT_BEHIND, limit);
    let room = limit - found.len() as i64;
    if deferred && room > 0 {
        found.extend(search(&DEFERRED_LEFT_BEHIND, room));
    }
    let moved = writer.parts(&found, call, |piece, part| {
        let locked: Vec<(Uuid, Uuid)> = LOCK_LEFT_BEHIND.rows(&[arg(piece.to_vec())], |row| (row.must(1), row.must(2)));
        let (tasks, homes): (Vec<_>, Vec<_>) = locked.into_iter().unzip();
        if tasks.is_empty() { 0 } else { bring_home(tasks, homes, part) }
    });
    Repaired::of(moved.into_iter().sum(), found.len(), limit)
}

/// Sets at most `limit` agents to idle whose status is working and that have no task in flight. Everything else is as
/// in [`tasks_left_behind`].
pub fn agents_without_work(limit: i64, writer: &mut Writer, call: &Call) -> Repaired {
    let found: Vec<Uuid> = WITHOUT_WORK.rows(&[arg(limit), arg(writer.exclude())], |row| row.must(1));
    let changed = writer.parts(&found, call, |piece, part| {
        let free = lock_set::try_agents(piece);
        if free.is_empty() {
            return 0;
        }
        let changed = consequences::reconcile(&free, part.now());
        for agent in &changed {
            part.agent_status(*agent);
        }
        changed.len()
    });
    Repaired::of(changed.into_iter().sum(), found.len(), limit)
}
