//! Tests that need commits, several sessions, restarts or separate clusters. They are plain functions, one topic per
//! file.

/// Makes a list of tests with their names. A name consists of the topic and the function. The topic is the module that
/// lists the function, unless the path names another module: `suite![kill, support::read]` in `suites/crash.rs` lists
/// `crash/kill` and `crash/read`.
macro_rules! suite {
    (@last $last:ident) => { stringify!($last) };
    (@last $first:ident :: $($rest:tt)+) => { suite!(@last $($rest)+) };
    ($topic:literal: $($($part:ident)::+),+ $(,)?) => {
        &[$((concat!($topic, "/", suite!(@last $($part)::+)), $($part)::+)),+]
    };
    ($($($part:ident)::+),+ $(,)?) => {
        &[$((
            $crate::suites::below(concat!(module_path!(), "/", suite!(@last $($part)::+))),
            $($part)::+,
        )),+]
    };
}

mod applications;
mod arguments_and_encodings;
mod atomic_calls;
mod cases;
mod chaos;
mod claim;
mod claim_cost;
mod claim_limits;
mod claim_many;
mod claim_own_changes;
mod clock;
mod cluster;
mod collation;
mod comments;
mod compatibility;
mod consequences;
mod crash;
mod deleted_runtimes;
mod demo;
mod docs;
mod dump;
mod enqueue;
mod errors;
mod event_storm;
mod event_triggers;
mod events;
mod examples;
mod failover;
mod failure_consequences;
mod features;
mod foreign_errors;
mod generations;
mod grant;
mod housekeeping;
mod incarnations;
mod install;
mod late_runs;
mod layers;
mod lifecycle;
mod lookups;
mod lost_tasks;
mod many_rows;
mod merge;
mod model;
mod monitoring;
mod moved_or_deleted_rows;
mod mutations;
mod operations;
mod payloads;
mod pg_cron;
pub mod pg_upgrade;
mod pgbouncer;
mod pgspot;
mod plans;
mod profiles;
mod progress;
mod promotion;
mod refused_rows;
mod resume;
mod retry;
mod retry_policy;
mod robustness;
mod row_security;
mod runtimes;
mod server_claims;
mod server_consequences;
mod server_differences;
mod server_merges;
mod server_runtime_races;
mod server_runtimes;
mod server_sweep;
mod server_transitions;
mod session_lookups;
mod sql_files;
mod state;
mod statements;
mod status_lists;
mod statuses;
mod storm;
mod support;
mod sweep_counters;
mod sweep_limits;
mod task_races;
mod transitions;
mod trigger_skips_row;
mod two_sweepers;
mod upgrade;
mod worker;
mod workspace_events;

use anyhow::Result;

use crate::context::Context;
use crate::project::MAJOR;

/// A test. It fails if it returns an error or panics.
pub type Suite = fn(&Context) -> Result<()>;

/// A path below this module.
const fn below(path: &'static str) -> &'static str {
    path.split_at(module_path!().len() + "::".len()).1
}

/// The tests that run on every version of Postgres, with the names under which they are reported: tests whose result
/// the version can change, because Postgres itself does what is tested. Examples are plans, DDL, dumps, privileges,
/// starting and stopping, replication, and errors and settings of Postgres. Golden files, isolation specs and
/// `#[pg_test]` functions run on every version too, because they are quick.
const TOPICS: &[&[(&str, Suite)]] = &[
    claim_cost::ALL,
    cluster::ALL,
    crash::ALL,
    docs::ALL,
    dump::ALL,
    event_triggers::ALL,
    events::ALL,
    failover::ALL,
    foreign_errors::ALL,
    grant::ALL,
    install::ALL,
    lookups::ALL,
    monitoring::ALL,
    operations::ALL,
    payloads::ALL,
    plans::ALL,
    robustness::ALL,
    row_security::ALL,
    state::ALL,
    statements::ALL,
    sweep_limits::ALL,
    worker::ALL,
    workspace_events::ALL,
];

/// The tests that run only on the home version. Some test decisions of the extension's own statements, which are the
/// same on every version. The others need a package that Debian has only for the home version, or a locale of ICU,
/// which the other versions are built without.
const AT_HOME: &[&[(&str, Suite)]] = &[
    applications::ALL,
    arguments_and_encodings::ALL,
    atomic_calls::ALL,
    chaos::ALL,
    claim::ALL,
    claim_limits::AT_HOME,
    claim_many::AT_HOME,
    claim_own_changes::ALL,
    clock::ALL,
    collation::ALL,
    comments::ALL,
    compatibility::AT_HOME,
    consequences::ALL,
    crash::AT_HOME,
    deleted_runtimes::AT_HOME,
    demo::ALL,
    docs::AT_HOME,
    enqueue::AT_HOME,
    errors::ALL,
    event_storm::ALL,
    events::AT_HOME,
    examples::ALL,
    failure_consequences::ALL,
    features::AT_HOME,
    foreign_errors::AT_HOME,
    generations::ALL,
    housekeeping::AT_HOME,
    incarnations::ALL,
    install::AT_HOME,
    late_runs::ALL,
    layers::ALL,
    lifecycle::ALL,
    lost_tasks::AT_HOME,
    many_rows::AT_HOME,
    merge::ALL,
    model::ALL,
    moved_or_deleted_rows::AT_HOME,
    mutations::ALL,
    operations::AT_HOME,
    payloads::AT_HOME,
    pg_cron::ALL,
    pgbouncer::ALL,
    pgspot::ALL,
    profiles::ALL,
    progress::AT_HOME,
    promotion::AT_HOME,
    refused_rows::AT_HOME,
    resume::ALL,
    retry::ALL,
    retry_policy::AT_HOME,
    robustness::AT_HOME,
    row_security::AT_HOME,
    runtimes::ALL,
    server_claims::ALL,
    server_consequences::AT_HOME,
    server_differences::ALL,
    server_merges::ALL,
    server_runtime_races::ALL,
    server_runtimes::ALL,
    server_sweep::ALL,
    server_transitions::AT_HOME,
    session_lookups::AT_HOME,
    sql_files::ALL,
    state::AT_HOME,
    statements::AT_HOME,
    status_lists::AT_HOME,
    statuses::AT_HOME,
    storm::ALL,
    sweep_counters::ALL,
    sweep_limits::AT_HOME,
    task_races::ALL,
    transitions::ALL,
    trigger_skips_row::AT_HOME,
    two_sweepers::ALL,
    upgrade::ALL,
    worker::AT_HOME,
];

/// Topics whose tests measure time, or put so much load on the machine that no other test may run at the same time.
const TIMED: [&str; 6] = ["chaos/", "demo/", "event_storm/", "storm/", "sweep_limits/", "two_sweepers/"];

/// Whether a test must run alone.
pub fn is_timed(name: &str) -> bool {
    TIMED.iter().any(|topic| name.starts_with(topic))
}

/// Returns the tests of a major version.
pub fn of(major: u32) -> impl Iterator<Item = (&'static str, Suite)> {
    let at_home = if major == MAJOR { AT_HOME } else { &[] };
    TOPICS.iter().chain(at_home).copied().flatten().copied()
}
