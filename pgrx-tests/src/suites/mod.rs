//! Tests that need commits, several sessions, restarts or clusters of their own: plain functions, one topic a file.

mod applications;
mod claim;
mod claim_cost;
mod cluster;
mod consequences;
mod crash;
mod differences;
mod gaps;
mod install;
mod lifecycle;
mod payloads;
mod pipeline;
mod resume;
mod retry;
mod storm;
mod support;
mod transitions;
mod windows;

use anyhow::Result;

use crate::context::Context;

/// A test: it fails by returning an error or by panicking.
pub type Suite = fn(&Context) -> Result<()>;

/// Every test by topic, under the name it is reported with.
pub const TOPICS: &[&[(&str, Suite)]] = &[
    cluster::ALL,
    install::ALL,
    crash::ALL,
    windows::ALL,
    differences::ALL,
    pipeline::ALL,
    retry::ALL,
    claim::ALL,
    claim_cost::ALL,
    resume::ALL,
    lifecycle::ALL,
    transitions::ALL,
    consequences::ALL,
    gaps::ALL,
    applications::ALL,
    storm::ALL,
    payloads::ALL,
];
