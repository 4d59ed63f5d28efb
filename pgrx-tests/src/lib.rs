//! The test harness: private copies of Postgres, private clusters, builds of the extension, and the runners of its
//! tests and demo.

pub mod bare;
pub mod chaos;
pub mod cluster;
pub mod console;
pub mod context;
pub mod database;
pub mod demo;
pub mod extension;
pub mod generations;
pub mod mutation_patch;
pub mod mutations;
pub mod package;
pub mod pg_tests;
pub mod pooler;
pub mod postgres_copy;
pub mod project;
pub mod query;
pub mod redis;
pub mod regress;
pub mod release;
pub mod speed;
pub mod storm;
pub mod suites;
pub mod tools;
pub mod user;
pub mod verify;

use anyhow::Result;

/// Prepares the process. Every command that starts clusters calls this first.
pub fn enter() -> Result<project::Project> {
    // The server's user must be able to read the files that are built and copied here, whatever the caller's umask is.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    cluster::exit_on_signals()?;
    project::Project::locate()
}
