//! Tests that need commits, several sessions, restarts or clusters of their own: plain functions, one topic a file.

/// A list of tests under their names: the topic, which is the module that lists them unless another one is given, and the
/// function. `suite![gaps, support::is_told]` in `suites/crash.rs` are `crash/gaps` and `crash/is_told`.
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
mod bounds;
mod chaos;
mod claim;
mod claim_cost;
mod claim_looks;
mod clock;
mod cluster;
mod collation;
mod comments;
mod consequences;
mod crash;
mod demo;
mod differences;
mod docs;
mod dump;
mod errors;
mod event_storm;
mod event_triggers;
mod events;
mod examples;
mod failover;
mod gaps;
mod given;
mod grant;
mod hostile;
mod install;
mod lifecycle;
mod lookups;
mod merge;
mod model;
mod monitoring;
mod mutations;
mod operations;
mod passing;
mod payloads;
mod pg_cron;
pub mod pg_upgrade;
mod pgbouncer;
mod pgspot;
mod pipeline;
mod plans;
mod rescue;
mod resume;
mod retry;
mod row_security;
mod runtimes;
mod state;
mod statements;
mod storm;
mod support;
mod totals;
mod transitions;
mod upgrade;
mod windows;
mod worker;

use anyhow::Result;

use crate::context::Context;
use crate::verify::MAJOR;

/// A test: it fails by returning an error or by panicking.
pub type Suite = fn(&Context) -> Result<()>;

/// A path below this module.
const fn below(path: &'static str) -> &'static str {
    path.split_at(module_path!().len() + "::".len()).1
}

/// The tests that run on every version of Postgres, by topic, under the name they are reported with.
const TOPICS: &[&[(&str, Suite)]] = &[
    applications::ALL,
    bounds::ALL,
    claim::ALL,
    claim_cost::ALL,
    claim_looks::ALL,
    clock::ALL,
    cluster::ALL,
    collation::ALL,
    comments::ALL,
    consequences::ALL,
    crash::ALL,
    differences::ALL,
    docs::ALL,
    dump::ALL,
    errors::ALL,
    event_storm::ALL,
    event_triggers::ALL,
    events::ALL,
    failover::ALL,
    gaps::ALL,
    given::ALL,
    grant::ALL,
    hostile::ALL,
    install::ALL,
    lifecycle::ALL,
    lookups::ALL,
    merge::ALL,
    model::ALL,
    monitoring::ALL,
    operations::ALL,
    passing::ALL,
    payloads::ALL,
    pgbouncer::ALL,
    pgspot::ALL,
    pipeline::ALL,
    plans::ALL,
    resume::ALL,
    retry::ALL,
    row_security::ALL,
    runtimes::ALL,
    state::ALL,
    statements::ALL,
    storm::ALL,
    totals::ALL,
    transitions::ALL,
    windows::ALL,
    worker::ALL,
];

/// The tests that run on the home version only: what takes long and does not depend on the version, or needs a package
/// that Debian has for the home version alone.
const AT_HOME: &[&[(&str, Suite)]] = &[
    bounds::AT_HOME,
    chaos::ALL,
    demo::ALL,
    docs::AT_HOME,
    examples::ALL,
    mutations::ALL,
    pg_cron::ALL,
    rescue::AT_HOME,
    upgrade::ALL,
];

/// The tests of a major version.
pub fn of(major: u32) -> impl Iterator<Item = (&'static str, Suite)> {
    let at_home = if major == MAJOR { AT_HOME } else { &[] };
    TOPICS.iter().chain(at_home).copied().flatten().copied()
}
