//! The sweep: its stages, in order, on one screen. Silence becomes one atomic verdict.

use std::time::{Duration, Instant};

use pgrx::Uuid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::argument::seconds;
use crate::clock;
use crate::event::{self, Events};
use crate::failure::Consequences;
use crate::kind::Swept;
use crate::recovery;
use crate::row::Composite;
use crate::runtime;
use crate::settings;
use crate::spi::{Statement, arg};

static NEW_ID: Statement = Statement::write(include_str!("../sql/sweep/new_id.sql"));
static REFUSED: Statement = Statement::write(include_str!("../sql/sweep/refused.sql"));
static RECORD: Statement = Statement::write(include_str!("../sql/sweep/record.sql"));

extension_sql_file!(
    "../sql/install/comments/sweep.sql",
    name = "sweep_comments",
    requires = [multica_sweep, "sweep_all"]
);

/// The time a sweep may still take.
struct Budget {
    began: Instant,
    limit: Option<Duration>,
}

impl Budget {
    fn begin() -> Self {
        let limit = match settings::sweep_budget_ms() {
            0 => None,
            ms => Some(Duration::from_millis(ms)),
        };
        Self {
            began: Instant::now(),
            limit,
        }
    }

    fn is_spent(&self) -> bool {
        self.limit
            .is_some_and(|limit| self.began.elapsed() >= limit)
    }
}

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
fn multica_sweep(
    stale_secs: default!(Option<f64>, "NULL"),
) -> Result<Composite<Swept>, ErrorReport> {
    let stale = match stale_secs {
        Some(given) => seconds("stale_secs", Some(given))?,
        None => settings::stale_after_secs(),
    };
    let now = clock::now();
    let budget = Budget::begin();
    let mut events = Events::of_sweep(NEW_ID.row(&[], |row| row.must(1)).expect("one id"));
    let done = pass(stale, now, &budget, &mut events);
    // From here on no row of a stage is to blame for an error.
    crate::failure::hold(&[]);
    events.record(now);
    if done.anything() {
        record(&done, now, &budget);
    }
    Ok(Composite::of(&[
        ("runtimes_offline", arg(done.runtimes_offline)),
        ("tasks_failed", arg(done.tasks_failed)),
        ("tasks_timed_out", arg(done.tasks_timed_out)),
        ("tasks_retried", arg(done.consequences.retried)),
        ("issues_reset", arg(done.consequences.issues_reset)),
        (
            "agents_reconciled",
            arg(done.consequences.agents_reconciled),
        ),
        ("runtimes_deleted", arg(done.runtimes_deleted)),
        ("more", arg(done.more)),
    ]))
}

/// The stages. Task events come before those of runtimes, as a subscriber would have seen them.
fn pass(stale: f64, now: TimestampWithTimeZone, budget: &Budget, events: &mut Events) -> Done {
    let batch = settings::batch_size();
    let most = Some(batch);
    let skip: Vec<Uuid> = REFUSED
        .row(&[arg(now)], |row| row.must(1))
        .unwrap_or_default();
    let mut done = Done::default();
    let mut of_runtimes = Events::default();

    let marked = runtime::mark_stale(stale, most, &skip, now, &mut of_runtimes, |_| ());
    done.runtimes_offline = marked.len() as i64;
    done.more |= done.runtimes_offline >= batch;

    if !budget.is_spent() {
        let grace = settings::offline_grace_secs();
        let verdict = recovery::fail_of_offline(grace, most, &skip, now, events);
        done.tasks_failed = verdict.failed.len() as i64;
        done.consequences += verdict.consequences;
        done.more |= done.tasks_failed >= batch;
    }
    if !budget.is_spent() {
        let (dispatch, running) = (
            settings::dispatch_timeout_secs(),
            settings::running_timeout_secs(),
        );
        let verdict = recovery::fail_timed_out(dispatch, running, most, &skip, now, events);
        done.tasks_timed_out = verdict.failed.len() as i64;
        done.consequences += verdict.consequences;
        done.more |= done.tasks_timed_out >= batch;
    }
    if !budget.is_spent() {
        let ttl = settings::runtime_ttl_secs();
        let (deleted, more) = runtime::collect(ttl, most, &skip, now, &mut of_runtimes, |_| ());
        done.runtimes_deleted = deleted.len() as i64;
        done.more |= more;
    }
    if !budget.is_spent() {
        done.more |= event::trim(now, batch) >= batch;
    }
    events.append(of_runtimes);
    done.more |= budget.is_spent();
    done
}

fn record(done: &Done, now: TimestampWithTimeZone, budget: &Budget) {
    RECORD.run(&[
        arg(now),
        arg(budget.began.elapsed().as_secs_f64() * 1000.0),
        arg(done.runtimes_offline),
        arg(done.tasks_failed),
        arg(done.tasks_timed_out),
        arg(done.consequences.retried),
        arg(done.consequences.issues_reset),
        arg(done.consequences.agents_reconciled),
        arg(done.runtimes_deleted),
    ]);
}

/// The rows that the last sweep of this session was working on; after an error, those among which is the one that
/// could not be written.
pub fn in_hand() -> Vec<Uuid> {
    crate::failure::in_hand()
}
