//! Tests that need commits, several sessions, restarts or clusters of their own: plain functions, one topic a file.

mod cluster;
mod crash;
mod differences;
mod pipeline;
mod retry;
mod support;
mod windows;

use anyhow::Result;

use crate::context::Context;

/// A test: it fails by returning an error or by panicking.
pub type Suite = fn(&Context) -> Result<()>;

/// Every test, under the name it is reported with, topic by topic.
pub const ALL: &[&[(&str, Suite)]] = &[
    cluster::ALL,
    crash::ALL,
    windows::ALL,
    differences::ALL,
    pipeline::ALL,
    retry::ALL,
];
