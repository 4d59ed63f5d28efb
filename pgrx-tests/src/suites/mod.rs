//! Tests that need commits, several sessions, restarts or clusters of their own: plain functions, one topic a file.

mod cluster;
mod crash;
mod differences;
mod docs;
mod install;
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
    crash::ALL,
    differences::ALL,
    docs::ALL,
    install::ALL,
    pipeline::ALL,
    retry::ALL,
    windows::ALL,
    worker::ALL,
];
