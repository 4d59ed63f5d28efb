//! Tests that need commits, several sessions, restarts or clusters of their own: plain functions, one topic a file.

mod cluster;
mod comments;
mod crash;
mod differences;
mod docs;
mod examples;
mod grant;
mod install;
mod pg_cron;
mod pgbouncer;
mod pipeline;
mod retry;
mod support;
mod windows;
mod worker;

use anyhow::Result;

use crate::context::Context;

/// A test: it fails by returning an error or by panicking.
pub type Suite = fn(&Context) -> Result<()>;

/// Every test by topic, under the name it is reported with.
pub const TOPICS: &[&[(&str, Suite)]] = &[
    cluster::ALL,
    comments::ALL,
    crash::ALL,
    differences::ALL,
    docs::ALL,
    examples::ALL,
    grant::ALL,
    install::ALL,
    pg_cron::ALL,
    pgbouncer::ALL,
    pipeline::ALL,
    retry::ALL,
    windows::ALL,
    worker::ALL,
];
