//! The sweep: its stages, in order, on one screen. Silence becomes one atomic verdict.

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::seconds;
use crate::budget::Budget;
use crate::clock;
use crate::entry::entry;
use crate::event::{self, Events};
use crate::failure::Consequences;
use crate::kind::Swept;
use crate::recovery::{self, Verdict};
use crate::row::Composite;
use crate::runtime;
use crate::settings;
use crate::spi::{Arg, Statement, arg};

static NEW_ID: Statement = Statement::write(include_str!("../sql/sweep/new_id.sql"));
static REFUSED: Statement = Statement::write(include_str!("../sql/sweep/refused.sql"));
static RECORD: Statement = Statement::write(include_str!("../sql/sweep/record.sql"));
static IS_COUNTING: Statement = Statement::read(include_str!("../sql/sweep/is_counting.sql"));
static COUNT: Statement = Statement::write(include_str!("../sql/sweep/count.sql"));

extension_sql_file!(
    "../sql/install/comments/sweep.sql",
    name = "sweep_comments",
    requires = [multica_sweep, "sweep_all"]
);

#[derive(Default)]
struct Done {
    runtimes_offline: i64,
    tasks_failed: i64,
    tasks_timed_out: i64,
    consequences: Consequences,
    runtimes_deleted: i64,
    more: bool,
}

impl Done {
    fn anything(&self) -> bool {
        self.runtimes_offline + self.tasks_failed + self.tasks_timed_out + self.runtimes_deleted > 0
    }
}

/// One pass over all stages. Rows that others hold are skipped; every stage handles at most multica.batch_size rows,
/// oldest first.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_sweep(stale_secs: default!(Option<f64>, "NULL")) -> Composite<Swept> {
    entry(|| {
        let stale = match stale_secs {
            Some(given) => seconds("stale_secs", Some(given))?,
            None => settings::stale_after_secs(),
        };
        let now = clock::now();
        let budget = Budget::begin();
        let sweep = NEW_ID.row(&[], |row| row.must(1)).expect("one id");
        let done = pass(stale, now, &budget, sweep);
        if done.anything() {
            record(&done, now, &budget);
        }
        Ok(Composite::of(&[
            ("runtimes_offline", arg(done.runtimes_offline)),
            ("tasks_failed", arg(done.tasks_failed)),
            ("tasks_timed_out", arg(done.tasks_timed_out)),
            ("tasks_retried", arg(done.consequences.retried())),
            ("issues_reset", arg(done.consequences.issues_reset)),
            (
                "agents_reconciled",
                arg(done.consequences.agents_reconciled),
            ),
            ("runtimes_deleted", arg(done.runtimes_deleted)),
            ("more", arg(done.more)),
        ]))
    })
}

/// The stages. Task events come before those of runtimes, as a subscriber would have seen them. A stage that finds the
/// budget spent is left for the next sweep, unless nothing was done yet: looking alone may take longer than the budget,
/// and every sweep has to get on.
fn pass(stale: f64, now: TimestampWithTimeZone, budget: &Budget, sweep: Uuid) -> Done {
    let batch = settings::batch_size();
    let most = Some(batch);
    let skip: Vec<Uuid> = REFUSED
        .row(&[arg(now)], |row| row.must(1))
        .unwrap_or_default();
    let mut done = Done::default();
    let mut of_runtimes = Events::of_sweep(sweep);

    let marked = runtime::mark_stale(stale, most, &skip, now, &mut of_runtimes, |_| ());
    done.runtimes_offline = marked.len() as i64;
    done.more |= done.runtimes_offline >= batch;

    let grace = settings::offline_grace_secs();
    done.stage(budget, |done| {
        budget.spend(batch, |piece| {
            let mut events = Events::of_sweep(sweep);
            let (verdict, more) = recovery::fail_of_offline(grace, piece, &skip, now, &mut events);
            done.tasks_failed += verdict.failed.len() as i64;
            done.take_over(verdict, events, now);
            more
        })
    });
    let (dispatch, running) = (
        settings::dispatch_timeout_secs(),
        settings::running_timeout_secs(),
    );
    done.stage(budget, |done| {
        budget.spend(batch, |piece| {
            let mut events = Events::of_sweep(sweep);
            let (verdict, more) =
                recovery::fail_timed_out(dispatch, running, piece, &skip, now, &mut events);
            done.tasks_timed_out += verdict.failed.len() as i64;
            done.take_over(verdict, events, now);
            more
        })
    });
    let ttl = settings::runtime_ttl_secs();
    done.stage(budget, |done| {
        let (deleted, more) = runtime::collect(ttl, most, &skip, now, &mut of_runtimes, |_| ());
        done.runtimes_deleted = deleted.len() as i64;
        more
    });
    done.stage(budget, |_| event::trim(now, batch) >= batch);
    record_events(of_runtimes, now);
    done
}

impl Done {
    /// A stage, which says whether there is more to do.
    fn stage(&mut self, budget: &Budget, work: impl FnOnce(&mut Self) -> bool) {
        let more = budget.is_spent() && self.anything() || work(self);
        self.more |= more;
    }

    fn take_over(&mut self, verdict: Verdict, events: Events, now: TimestampWithTimeZone) {
        self.consequences += verdict.consequences;
        record_events(events, now);
    }
}

fn record_events(events: Events, now: TimestampWithTimeZone) {
    // From here on no row of a stage is to blame for an error.
    crate::failure::hold(&[]);
    events.record(now);
}

fn record(done: &Done, now: TimestampWithTimeZone, budget: &Budget) {
    let took = budget.elapsed().as_secs_f64() * 1000.0;
    RECORD.run(&with_figures(vec![arg(now), arg(took)], done));
    if is_counting() {
        COUNT.run(&with_figures(vec![arg(now)], done));
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

/// Whether there is the table of totals: an update of the extension leaves it to install, and until then sweeps go on
/// without being counted.
pub fn is_counting() -> bool {
    IS_COUNTING.row(&[], |row| row.must(1)).unwrap_or(false)
}

/// The rows that the last sweep of this session was working on; after an error, those among which is the one that
/// could not be written.
pub fn in_hand() -> Vec<Uuid> {
    crate::failure::in_hand()
}
