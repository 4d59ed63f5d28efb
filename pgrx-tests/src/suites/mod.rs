//! Tests that need commits, several sessions, restarts or clusters of their own: plain functions, one topic a file.

mod cluster;
mod grant;
mod install;

use anyhow::Result;

use crate::context::Context;

/// A test: it fails by returning an error or by panicking.
pub type Suite = fn(&Context) -> Result<()>;

/// Every test by topic, under the name it is reported with.
pub const TOPICS: &[&[(&str, Suite)]] = &[cluster::ALL, grant::ALL, install::ALL];
