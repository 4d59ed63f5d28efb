//! The stages that fail tasks of runtimes that are alive: tasks that their daemon has lost, and running tasks that give no
//! sign of life any more.
//!
//! Both find tasks without locks, lock them without waiting, and ask again under the locks: a heartbeat may have named a
//! task again meanwhile, and a task may have reported its progress. Whoever writes a sign of life holds the task.

use pgrx::Uuid;

use super::limits::Limits;
use super::optional::{Optional, Stage};
use super::{Done, Sweep};
use crate::lifecycle::consequences::{IDLE_TIMEOUT, LOST, Reason};
use crate::lifecycle::event::Call;
use crate::lifecycle::lock_set;
use crate::lifecycle::sign_of_life;
use crate::lifecycle::verdict::{Verdict, fail_with_consequences};
use crate::lifecycle::writer::Writer;
use crate::postgres::statement::{Statement, arg};
use crate::worker::shared::Micros;

static FIND_LOST: Statement = Statement::volatile(sql!("sweep/lost.sql")).in_index_order().by_id();
static HOLD_UNNAMED: Statement = Statement::volatile(sql!("sweep/hold_unnamed.sql")).by_id();
static FIND_IDLE: Statement = Statement::volatile(sql!("sweep/idle.sql")).in_index_order();
static HOLD_RUNNING: Statement = Statement::volatile(sql!("sweep/hold_running.sql")).by_id();

/// How long after its start, in seconds, a task may be missing from the list of its daemon: the daemon may have made the
/// list before the start, and its heartbeat may have been late.
const SHORTEST_RUN_SECS: f64 = 90.0;

impl Sweep {
    /// Fails tasks that their daemons have lost, and tasks that give no sign of life any more. The stages that fail the
    /// tasks of silent runtimes come before.
    pub(super) fn lost(&self, optional: &Optional, writer: &mut Writer, done: &mut Done, call: &Call) {
        let limits = &self.limits;
        if optional.has(Stage::Lost) {
            self.stage(done, |done| {
                self.budget.spend(self.batch, |piece| {
                    let (verdict, more) = self.fail_lost(limits, piece, writer, call);
                    done.tasks_failed += verdict.failed.len() as i64;
                    done.consequences += verdict.consequences;
                    more
                })
            });
        }
        if optional.has(Stage::Idle) && !self.is_outage_within(limits.idle) {
            self.stage(done, |done| {
                sign_of_life::begin_now(self.batch, self.now, writer);
                self.budget.spend(self.batch, |piece| {
                    let (verdict, more) = self.fail_idle(limits, piece, writer, call);
                    done.time_out(verdict);
                    more
                })
            });
        }
    }

    /// Whether an outage has ended within the last seconds, so that no task could give a sign of life before.
    fn is_outage_within(&self, secs: f64) -> bool {
        let since = Micros::from(self.now).saturating_sub((secs * 1e6) as Micros);
        self.guard.outage.is_some_and(|end| Micros::from(end) >= since)
    }

    fn fail_lost(&self, limits: &Limits, limit: i64, writer: &mut Writer, call: &Call) -> (Verdict, bool) {
        let excluded = writer.exclude();
        let find = |among: Option<Vec<Uuid>>| {
            let args = [
                arg(self.now),
                arg(limits.lost),
                arg(limits.stale),
                arg(self.guard.outage),
                arg(excluded.clone()),
                arg(limit),
                arg(among),
                arg(SHORTEST_RUN_SECS),
            ];
            FIND_LOST.rows(&args, |row| row.must(1))
        };
        fail(find, &HOLD_UNNAMED, &LOST, limit, writer, call)
    }

    fn fail_idle(&self, limits: &Limits, limit: i64, writer: &mut Writer, call: &Call) -> (Verdict, bool) {
        let excluded = writer.exclude();
        let find = |among: Option<Vec<Uuid>>| {
            let args =
                [arg(self.now), arg(limits.idle), arg(limits.stale), arg(excluded.clone()), arg(limit), arg(among)];
            FIND_IDLE.rows(&args, |row| row.must(1))
        };
        fail(find, &HOLD_RUNNING, &IDLE_TIMEOUT, limit, writer, call)
    }
}

/// Fails at most `limit` tasks. `find` returns the tasks to fail, all or among the given ones; `hold` locks them without
/// waiting. The second value is whether there may be more.
fn fail(
    find: impl Fn(Option<Vec<Uuid>>) -> Vec<Uuid>,
    hold: &Statement,
    reason: &Reason,
    limit: i64,
    writer: &mut Writer,
    call: &Call,
) -> (Verdict, bool) {
    let found = find(None);
    if found.is_empty() {
        return (Verdict::default(), false);
    }
    let is_full = found.len() as i64 >= limit;
    let held: Vec<Uuid> = hold.rows(&[arg(found)], |row| row.must(1));
    let free = lock_set::try_tasks(&held);
    let still = if free.is_empty() { free } else { find(Some(free)) };
    let verdict = fail_with_consequences(&still, reason, writer, call);
    let more = is_full && !verdict.failed.is_empty();
    (verdict, more)
}
