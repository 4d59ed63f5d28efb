//! The sweep, with its stages in order. The tasks of silent runtimes are failed in one atomic verdict.

mod all;
mod backlog;
mod budget;
mod finish;
mod former;
mod guard;
mod limits;
mod lost;
mod optional;
mod part;
mod promotion;
mod stages;
mod waiting;

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::seconds;
use crate::lifecycle::consequences::Consequences;
use crate::lifecycle::event::{self, Call};
use crate::lifecycle::features::Feature;
use crate::lifecycle::verdict::Verdict;
use crate::lifecycle::writer::{self, Writer};
use crate::lifecycle::{
    collection, incarnation, liveness, repair, rows_in_work, runtime_return, sign_of_life, unnamed,
};
use crate::postgres::clock;
use crate::postgres::composite::Composite;
use crate::postgres::entry::entry;
use crate::postgres::statement::{Arg, Statement, arg};
use crate::settings;
use crate::types::Swept;
use budget::Budget;
use guard::Guard;
use limits::Limits;
use optional::{Optional, Stage};

pub use guard::Held;
pub use part::{Part, Ran};

static NEW_ID: Statement = Statement::volatile(sql!("sweep/new_id.sql"));
static RECORD: Statement = Statement::volatile(sql!("sweep/record.sql"));
static RECORD_DELETED: Statement = Statement::volatile(sql!("sweep/record_deleted.sql"));
static IS_COUNTING: Statement = Statement::stable(sql!("sweep/is_counting.sql"));
static LOCK_TOTAL: Statement = Statement::volatile(sql!("sweep/lock_total.sql"));
static COUNT: Statement = Statement::volatile(sql!("sweep/count.sql"));

extension_sql_file!(
    "../../sql/extension/comments/sweep.sql",
    name = "sweep_comments",
    requires = [multica_sweep, "sweep_all"]
);

/// How many ids are drawn at most for a row of totals. There are as many rows as sweeps ever ran at the same time.
const MOST_DRAWS: usize = 100;

#[derive(Default)]
struct Done {
    runtimes_offline: i64,
    tasks_failed: i64,
    tasks_timed_out: i64,
    consequences: Consequences,
    runtimes_deleted: i64,
    /// Agents set to idle, tasks moved, and deferred tasks queued or cancelled, apart from verdicts; retries and resets
    /// that another program left undone.
    repaired: i64,
    more: bool,
}

/// A stage that fails tasks which wait for too long.
type Expire = fn(&Limits, i64, &mut Writer, &Call) -> (Verdict, bool);

impl Done {
    fn time_out(&mut self, verdict: Verdict) {
        self.tasks_timed_out += verdict.failed.len() as i64;
        self.consequences += verdict.consequences;
    }

    fn anything(&self) -> bool {
        self.runtimes_offline + self.tasks_failed + self.tasks_timed_out + self.runtimes_deleted + self.repaired > 0
    }
}

/// Runs one pass over all stages. Rows that other sessions hold are skipped; every stage handles at most
/// multica.batch_size rows, oldest first.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_sweep(stale_secs: default!(Option<f64>, "NULL")) -> Composite<Swept> {
    entry(|| {
        let stale = stale_secs.map(|given| seconds("stale_secs", Some(given))).transpose()?;
        let sweep = Sweep::begin(stale);
        sweep.tell();
        let done = writer::write(sweep.now, |writer| sweep.pass(writer));
        Ok(Composite::of(&[
            ("runtimes_offline", arg(done.runtimes_offline)),
            ("tasks_failed", arg(done.tasks_failed)),
            ("tasks_timed_out", arg(done.tasks_timed_out)),
            ("tasks_retried", arg(done.consequences.retried())),
            ("issues_reset", arg(done.consequences.issues_reset)),
            ("agents_reconciled", arg(done.consequences.agents_reconciled)),
            ("runtimes_deleted", arg(done.runtimes_deleted)),
            ("more", arg(done.more)),
        ]))
    })
}

struct Sweep {
    limits: Limits,
    guard: Guard,
    now: TimestampWithTimeZone,
    budget: Budget,
    id: Uuid,
    batch: i64,
    /// When the sweep began that continues here, if another transaction has recorded its first figures.
    continues: Option<TimestampWithTimeZone>,
}

impl Sweep {
    /// `stale`: the seconds after which a runtime is stale, instead of the threshold in force.
    fn begin(stale: Option<f64>) -> Self {
        let limits = Limits::in_force(stale);
        let now = clock::now();
        Self {
            limits,
            guard: Guard::look(now, limits.stale),
            now,
            budget: Budget::begin(),
            id: NEW_ID.row(&[], |row| row.must(1)).expect("one id"),
            batch: settings::batch_size(),
            continues: None,
        }
    }

    /// Runs the stages and records their figures.
    fn pass(&self, writer: &mut Writer) -> Done {
        self.call(|call| {
            let mut done = self.verdicts(writer, call);
            self.housekeeping(writer, &mut done, call);
            self.finish(writer, &mut done, call);
            done
        })
    }

    fn call<R>(&self, work: impl FnOnce(&mut Call) -> R) -> R {
        event::sweep(self.id, self.now, work)
    }

    /// Records the events that were announced so far. Each piece that was written by itself has already recorded its
    /// events.
    fn record_events(writer: &mut Writer, call: &mut Call) {
        if call.is_pending() {
            writer.beside(|| {
                // From here on no row of a stage can be the cause of an error.
                rows_in_work::clear();
                call.record();
            });
        }
    }

    /// Records the remaining events, and the figures.
    fn finish(&self, writer: &mut Writer, done: &mut Done, call: &mut Call) {
        Self::record_events(writer, call);
        // If every row is refused, the next sweep does not have to come at once.
        done.more |= writer.is_cut_short();
        done.more &= done.anything() || !writer.has_given_up();
        if done.anything() {
            writer.beside(|| self.record(done));
        }
        self.guard.store(writer, !done.anything());
    }

    /// Tells the caller if verdicts are held.
    fn tell(&self) {
        if let Some(held) = self.guard.held {
            held.tell();
        }
    }

    fn verdicts(&self, writer: &mut Writer, call: &mut Call) -> Done {
        let mut done = Done::default();
        let optional = Optional::look();
        if self.guard.held.is_none() {
            self.silence(writer, &mut done, call);
            self.lost(&optional, writer, &mut done, call);
            self.waiting(&optional, writer, &mut done, call);
        }
        if optional.has(Stage::Deferred) {
            self.promote(writer, &mut done, call);
        }
        self.finish_left_by_others(&optional, writer, &mut done, call);
        self.repairs(&optional, writer, &mut done, call);
        done
    }

    fn silence(&self, writer: &mut Writer, done: &mut Done, call: &mut Call) {
        let batch = self.batch;
        if self.guard.may_find_silent() {
            let marked = liveness::mark_stale(self.limits.stale, Some(batch), writer, call, |_| ());
            done.runtimes_offline = marked.len() as i64;
            done.more |= done.runtimes_offline >= batch;
        }
        // What happens to their tasks is recorded with each piece, after its cause.
        Self::record_events(writer, call);

        let mut are_left = false;
        self.stage(done, |done| {
            are_left = self.budget.spend(batch, |piece| {
                let (verdict, more) = stages::fail_of_offline(self.limits.grace, piece, writer, call);
                done.tasks_failed += verdict.failed.len() as i64;
                done.consequences += verdict.consequences;
                more
            });
            are_left
        });
        // A task whose runtime is gone has often run for too long as well. It must not get the other reason, and the retry
        // that follows from it, only because it did not fit into the batch.
        if are_left {
            return;
        }
        self.stage(done, |done| {
            self.budget.spend(batch, |piece| {
                let (verdict, more) = stages::fail_timed_out(&self.limits, piece, writer, call);
                done.time_out(verdict);
                more
            })
        });
    }

    /// Fails tasks that wait for too long. A retry that expires with its runtime comes before the tasks that are queued.
    fn waiting(&self, optional: &Optional, writer: &mut Writer, done: &mut Done, call: &Call) {
        let stages: [(Stage, Expire); 2] =
            [(Stage::Deferred, waiting::fail_expired_retries), (Stage::QueuedTtl, waiting::fail_expired_in_queue)];
        for (stage, expire) in stages {
            if optional.has(stage) {
                self.stage(done, |done| {
                    self.budget.spend(self.batch, |piece| {
                        let (verdict, more) = expire(&self.limits, piece, writer, call);
                        done.time_out(verdict);
                        more
                    })
                });
            }
        }
    }

    fn finish_left_by_others(&self, optional: &Optional, writer: &mut Writer, done: &mut Done, call: &Call) {
        if optional.has(Stage::Finish) {
            self.stage(done, |done| {
                let (added, more) = finish::finish_left_by_others(self.limits.finish_after, self.batch, writer, call);
                done.repaired += added.retried() + added.issues_reset + added.agents_reconciled;
                done.consequences += added;
                more
            });
        }
    }

    fn repairs(&self, optional: &Optional, writer: &mut Writer, done: &mut Done, call: &Call) {
        let batch = self.batch;
        self.stage(done, |done| {
            let gone = self.limits.gone();
            let moved = repair::tasks_left_behind(gone, optional.has(Stage::Deferred), batch, writer, call);
            let idle = repair::agents_without_work(batch, writer, call);
            done.repaired += moved.changed + idle.changed;
            done.consequences.agents_reconciled += idle.changed;
            moved.more || idle.more
        });
    }

    fn housekeeping(&self, writer: &mut Writer, done: &mut Done, call: &mut Call) {
        let Self { now, batch, .. } = *self;
        let ttl = settings::runtime_ttl_secs();
        if self.guard.held.is_none() {
            self.stage(done, |done| {
                let (deleted, more) = collection::delete_expired(ttl, Some(batch), writer, call, |_| ());
                done.runtimes_deleted = deleted.len() as i64;
                more
            });
        }
        self.stage(done, |_| incarnation::forget(batch, writer));
        if Feature::Signs.is_present() {
            self.stage(done, |_| unnamed::forget(batch, writer));
            self.stage(done, |_| sign_of_life::forget(batch, writer));
            self.stage(done, |_| runtime_return::forget(batch, writer));
        }
        self.stage(done, |_| event::trim(now, batch, writer));
    }

    /// Runs a stage, which returns whether there is more to do. If the budget is spent, the stage is left for the next
    /// sweep, unless nothing was done yet: a search alone may take longer than the budget, and every sweep must make
    /// progress.
    fn stage(&self, done: &mut Done, work: impl FnOnce(&mut Done) -> bool) {
        let more = self.budget.is_spent() && done.anything() || work(done);
        done.more |= more;
    }

    fn record(&self, done: &Done) {
        let took = self.budget.elapsed().as_secs_f64() * 1000.0;
        if event::lock_state() {
            match self.continues {
                None => RECORD.run(&with_figures(vec![arg(self.now), arg(took)], done)),
                Some(began) => RECORD_DELETED.run(&[arg(began), arg(took), arg(done.runtimes_deleted)]),
            };
        }
        if is_counting() {
            let slot: Option<i32> = LOCK_TOTAL.row(&[], |row| row.must(1));
            let sweeps = i64::from(self.continues.is_none());
            // An id that the sequence draws may be taken already, if rows were copied without the sequence. Then the
            // next id is tried.
            (0..MOST_DRAWS).find(|_| {
                let args = with_figures(vec![arg(slot), arg(self.now), arg(sweeps)], done);
                COUNT.row(&args, |_| ()).is_some()
            });
        }
    }
}

fn with_figures(mut args: Vec<Arg>, done: &Done) -> Vec<Arg> {
    let figures = [
        done.runtimes_offline,
        done.tasks_failed,
        done.tasks_timed_out,
        done.consequences.retried(),
        done.consequences.issues_reset,
        done.consequences.agents_reconciled,
        done.runtimes_deleted,
    ];
    args.extend(figures.map(arg));
    args
}

/// Returns the stages that are wanted and lack an index, with its name.
pub fn stages_off() -> Vec<String> {
    Optional::look().off()
}

/// Returns whether a sweep that begins at `now` holds its verdicts.
pub fn held(now: TimestampWithTimeZone) -> Option<Held> {
    Guard::glance(now, Limits::in_force(None).stale).held
}

/// Whether the table of totals exists. An update of the extension does not create it; install does, and until then
/// sweeps are not counted.
pub fn is_counting() -> bool {
    IS_COUNTING.row(&[], |row| row.must(1)).unwrap_or(false)
}
