//! The state of the extension, for an operator.

use pgrx::prelude::*;

use crate::grant;
use crate::install::{self, NeededIndexes};
use crate::lifecycle::event;
use crate::lifecycle::features::Feature;
use crate::lifecycle::thresholds;
use crate::postgres::acting;
use crate::postgres::advisory_lock::{FIRST_KEY, LAST_KEY};
use crate::postgres::clock;
use crate::postgres::composite::Composite;
use crate::postgres::entry::entry_as_caller;
use crate::postgres::features::is_present;
use crate::postgres::statement::{Arg, Row, Statement, arg};
use crate::settings;
use crate::sweep;
use crate::types::StatusReport;
use crate::worker::shared;

static HELD: Statement = Statement::stable(sql!("status/held.sql"));
static STATUS: Statement = Statement::stable(sql!("status/status.sql"));
static INDEXES_MISSING: Statement = Statement::stable(sql!("status/indexes_missing.sql"));
static TOTALS: Statement = Statement::stable(sql!("status/totals.sql"));

const TOTAL: [&str; 8] = [
    "total_sweeps",
    "total_runtimes_offline",
    "total_tasks_failed",
    "total_tasks_timed_out",
    "total_tasks_retried",
    "total_issues_reset",
    "total_agents_reconciled",
    "total_runtimes_deleted",
];

extension_sql_file!(
    "../sql/extension/comments/status.sql",
    name = "status_comments",
    requires = [multica_status, "metrics"]
);

fn at(moment: Option<shared::Micros>) -> Option<TimestampWithTimeZone> {
    moment.and_then(|moment| TimestampWithTimeZone::try_from(moment).ok())
}

/// Returns what sweeps did since the beginning; nothing while sweeps are not counted.
fn totals() -> Vec<(&'static str, Arg)> {
    if !sweep::is_counting() {
        return Vec::new();
    }
    let decode = |row: &Row| {
        let since: Option<TimestampWithTimeZone> = row.column("totals_since");
        let counters = TOTAL.map(|name| (name, arg(row.column::<i64>(name))));
        counters.into_iter().chain([("totals_since", arg(since))]).collect()
    };
    TOTALS.row(&[], decode).unwrap_or_default()
}

/// Returns the indexes that install adds and that are not there. A large table lacks them until its owner has built them.
fn indexes_missing() -> Vec<String> {
    let needed = NeededIndexes::of(is_present);
    let args = [arg(needed.names), arg(needed.tables), arg(needed.keys), arg(needed.predicates)];
    INDEXES_MISSING.row(&args, |row| row.must(1)).unwrap_or_default()
}

/// The transaction that holds events back.
#[derive(Default)]
struct Held {
    floor: Option<i64>,
    since: Option<TimestampWithTimeZone>,
}

/// Returns the state of sweeps, tasks and events, in one row. When another role's transaction began is read with the
/// privileges of the caller, because Postgres shows it only to some roles.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_status() -> Composite<StatusReport> {
    entry_as_caller(|| {
        let held = HELD.row(&[arg(FIRST_KEY), arg(LAST_KEY)], |row| Held {
            floor: row.column("floor"),
            since: row.column("since"),
        });
        Ok(acting::as_owner(|| report(held.unwrap_or_default())))
    })
}

fn report(held: Held) -> Composite<StatusReport> {
    // SAFETY: a variable of this process, set when it connected to its database.
    let slot = shared::of(unsafe { pg_sys::MyDatabaseId });
    let now = clock::now();
    let (stale_after, grace) = (thresholds::stale_after(), thresholds::offline_grace());
    let (ttl, finish_after) = (thresholds::queued_ttl(), thresholds::finish_after_secs());
    let (lost_after, idle_timeout) = (settings::lost_after_secs(), settings::idle_timeout_secs());
    let args = [
        arg(now),
        arg(shared::preloaded()),
        arg(stale_after.secs),
        arg(grace.secs),
        arg(shared::launcher_pid()),
        arg(at(slot.as_ref().and_then(|slot| slot.last_end))),
        arg(slot.as_ref().and_then(|slot| slot.error())),
        arg(at(slot.as_ref().and_then(|slot| slot.error_at))),
        arg(held.floor),
        arg(held.since),
        arg((ttl.secs > 0.0).then_some(ttl.secs)),
        arg((finish_after > 0.0).then_some(finish_after)),
        arg((lost_after > 0.0).then_some(lost_after)),
        arg((idle_timeout > 0.0).then_some(idle_timeout)),
    ];
    install::warn_of_forced_row_security();
    install::warn_of_short_thresholds();
    let mut beside = totals();
    let trouble = event::Log::glance().and_then(|log| log.trouble());
    beside.push(("event_log_trouble", arg(trouble)));
    let features: Vec<&str> = Feature::all_present().map(Feature::name).collect();
    beside.push(("features", arg(features)));
    beside.push(("indexes_missing", arg(indexes_missing())));
    beside.push(("table_grants", arg(grant::table_grants())));
    beside.push(("stale_after_source", arg(stale_after.source)));
    beside.push(("offline_grace_source", arg(grace.source)));
    beside.push(("queued_ttl_source", arg(ttl.source)));
    beside.push(("stages_off", arg(sweep::stages_off())));
    let verdicts = sweep::held(now);
    beside.push(("verdicts_held_until", arg(verdicts.map(|held| held.until))));
    beside.push(("verdicts_held_because", arg(verdicts.map(|held| held.because))));
    STATUS.row(&args, |row| Composite::from_row_and(row, &beside)).expect("one row")
}
