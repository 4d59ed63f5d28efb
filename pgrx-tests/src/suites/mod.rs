//! Tests that need commits, several sessions, restarts or clusters of their own: plain functions, one topic a file.

mod cluster;

use anyhow::Result;

use crate::context::Context;

/// A test: it fails by returning an error or by panicking.
pub type Suite = fn(&Context) -> Result<()>;

/// Every test, under the name it is reported with.
pub const ALL: &[(&str, Suite)] = &[
    (
        "cluster/fresh_databases_do_not_see_each_other",
        cluster::fresh_databases_do_not_see_each_other,
    ),
    (
        "cluster/kill_keeps_what_was_committed",
        cluster::kill_keeps_what_was_committed,
    ),
    (
        "cluster/standby_takes_writes_after_promotion",
        cluster::standby_takes_writes_after_promotion,
    ),
];
