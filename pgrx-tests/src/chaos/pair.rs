//! A primary and its synchronous standby, which change places.

use std::time::Duration;

use anyhow::{Context as _, Result};
use postgres::Client;

use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::query::values;
use crate::storm::Storm;

/// Longest wait for a server to be where it should be, on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Under this name a standby reports to its primary.
const TWIN: &str = "twin";

/// Room for the relations of a few short-lived databases.
const DISK_MEGABYTES: u32 = 256;

/// Two servers, and what those that are gone have logged.
pub struct Pair<'a> {
    context: &'a Context,
    /// The server that takes writes.
    pub primary: Cluster,
    /// The server that follows it.
    pub standby: Cluster,
    gone: Vec<String>,
}

/// Nothing is acknowledged that the standby does not have. Deadlocks are looked for before anybody's lock_timeout, so
/// that none is taken for one. The log says every SQLSTATE.
fn options() -> Options {
    Options::new("chaos")
        .set("cluster_name", TWIN)
        .set("deadlock_timeout", "100ms")
        .set("wal_log_hints", "on")
        .set("wal_keep_size", "512MB")
        .set("wal_retrieve_retry_interval", "100ms")
        .set("multica.sweep_interval", "200ms")
        .set("log_min_error_statement", "panic")
        .set("log_line_prefix", "%m [%p] %e %q%u@%d %a ")
        .on_small_disk(DISK_MEGABYTES)
}

fn synchronous() -> Options {
    options().set("synchronous_standby_names", TWIN)
}

impl<'a> Pair<'a> {
    /// Both servers, the one following the other.
    pub fn begin(context: &'a Context) -> Result<Pair<'a>> {
        let primary = context.cluster(&options())?;
        let standby = primary.standby(&context.project, &synchronous())?;
        primary.configure(&synchronous())?;
        primary.reload()?;
        let pair = Pair { context, primary, standby, gone: Vec::new() };
        pair.wait_until_followed()?;
        Ok(pair)
    }

    /// The standby takes over, and the old primary becomes its standby or makes room for a new one.
    pub fn fail_over(&mut self, storm: &Storm, database: &str, late_fence: bool, rewind: bool) -> Result<()> {
        if !late_fence {
            self.primary.kill()?;
        }
        self.standby.promote()?;
        std::mem::swap(&mut self.primary, &mut self.standby);
        storm.turn_to(self.primary.config(database));
        if late_fence {
            // Whoever waits for the old primary's answer, waits for a standby that it no longer has.
            std::thread::sleep(Duration::from_millis(300));
            self.standby.kill()?;
        }
        if rewind {
            // Before a checkpoint the new primary's control file does not yet say that it has a timeline of its own.
            self.primary.connect("postgres")?.batch_execute("CHECKPOINT")?;
            self.standby.follow(&self.primary, &synchronous())?;
        } else {
            let next = self.primary.standby(&self.context.project, &synchronous())?;
            let old = std::mem::replace(&mut self.standby, next);
            self.gone.push(old.log()?);
        }
        Ok(())
    }

    /// Waits until commits wait for the standby.
    pub fn wait_until_followed(&self) -> Result<()> {
        let following =
            format!("SELECT FROM pg_stat_replication WHERE application_name = '{TWIN}' AND sync_state = 'sync'");
        Cluster::wait_until("the standby follows the primary", LIMIT, || {
            let Ok(mut client) = self.primary.connect("postgres") else {
                return Ok(false);
            };
            Ok(client.query_opt(&following, &[]).is_ok_and(|row| row.is_some()))
        })
        .with_context(|| tail(&self.standby))
    }

    /// A session on the standby, which has everything that is committed by now.
    pub fn caught_up(&self, primary: &mut Client, database: &str) -> Result<Client> {
        let now = values(primary, "SELECT pg_current_wal_flush_lsn()")?.remove(0);
        let reached = format!("SELECT pg_last_wal_replay_lsn() >= '{now}'");
        let mut there = self.standby.connect("postgres")?;
        Cluster::wait_until("the standby has caught up", LIMIT, || Ok(values(&mut there, &reached)? == ["t"]))?;
        self.standby.connect(database)
    }

    /// What all servers have logged.
    pub fn logs(&self) -> Result<Vec<String>> {
        let mut logs = self.gone.clone();
        logs.push(self.primary.log()?);
        logs.push(self.standby.log()?);
        Ok(logs)
    }
}

fn tail(cluster: &Cluster) -> String {
    let log = cluster.log().unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
