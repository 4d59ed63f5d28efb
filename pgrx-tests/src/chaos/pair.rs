//! A primary and its synchronous standby, which swap their roles.

use std::time::Duration;

use anyhow::{Context as _, Result};
use postgres::Client;

use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::query::values;
use crate::storm::Storm;

/// Longest wait for a server to reach a state, on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The `cluster_name` of both servers, which is the application name of the standby at its primary.
const CLUSTER_NAME: &str = "chaos";

/// Enough for the relations of a few short-lived databases.
const DISK_MEGABYTES: u32 = 256;

/// Two servers, and the logs of servers that were removed.
pub struct Pair<'a> {
    context: &'a Context,
    /// The server that takes writes.
    pub primary: Cluster,
    /// The server that replicates it.
    pub standby: Cluster,
    removed_logs: Vec<String>,
}

/// A commit is acknowledged only after the standby has it. `deadlock_timeout` is shorter than each `lock_timeout`, so
/// that a deadlock is reported as one. The log contains each SQLSTATE.
fn options() -> Options {
    Options::new("chaos")
        .set("cluster_name", CLUSTER_NAME)
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
    options().set("synchronous_standby_names", CLUSTER_NAME)
}

impl<'a> Pair<'a> {
    /// Starts both servers.
    pub fn begin(context: &'a Context) -> Result<Pair<'a>> {
        let primary = context.cluster(&options())?;
        let standby = primary.standby(&context.project, &synchronous())?;
        primary.configure(&synchronous())?;
        primary.reload()?;
        let pair = Pair { context, primary, standby, removed_logs: Vec::new() };
        pair.wait_until_synchronous()?;
        Ok(pair)
    }

    /// Promotes the standby. The old primary becomes its standby, or is replaced by a new standby.
    pub fn fail_over(&mut self, storm: &Storm, database: &str, late_fence: bool, rewind: bool) -> Result<()> {
        if !late_fence {
            self.primary.kill()?;
        }
        self.standby.promote()?;
        std::mem::swap(&mut self.primary, &mut self.standby);
        storm.set_server(self.primary.config(database));
        if late_fence {
            // Commits on the old primary get no answer, because they wait for a standby that it no longer has.
            std::thread::sleep(Duration::from_millis(300));
            self.standby.kill()?;
        }
        if rewind {
            // The control file of the new primary, which pg_rewind reads, has the new timeline only after a checkpoint.
            self.primary.connect("postgres")?.batch_execute("CHECKPOINT")?;
            self.standby.follow(&self.primary, &synchronous())?;
        } else {
            let next = self.primary.standby(&self.context.project, &synchronous())?;
            let old = std::mem::replace(&mut self.standby, next);
            self.removed_logs.push(old.log()?);
        }
        Ok(())
    }

    /// Waits until the standby is synchronous, so that commits wait for it.
    pub fn wait_until_synchronous(&self) -> Result<()> {
        let synchronous = format!(
            "SELECT FROM pg_stat_replication WHERE application_name = '{CLUSTER_NAME}' AND sync_state = 'sync'"
        );
        Cluster::wait_until("the standby is synchronous", LIMIT, || {
            let Ok(mut client) = self.primary.connect("postgres") else {
                return Ok(false);
            };
            Ok(client.query_opt(&synchronous, &[]).is_ok_and(|row| row.is_some()))
        })
        .with_context(|| tail(&self.standby))
    }

    /// Connects to the standby, after it has replayed all commits of the primary.
    pub fn caught_up(&self, primary: &mut Client, database: &str) -> Result<Client> {
        let now = values(primary, "SELECT pg_current_wal_flush_lsn()")?.remove(0);
        let reached = format!("SELECT pg_last_wal_replay_lsn() >= '{now}'");
        let mut standby = self.standby.connect("postgres")?;
        Cluster::wait_until("the standby has caught up", LIMIT, || Ok(values(&mut standby, &reached)? == ["t"]))?;
        self.standby.connect(database)
    }

    /// The logs of all servers.
    pub fn logs(&self) -> Result<Vec<String>> {
        let mut logs = self.removed_logs.clone();
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
