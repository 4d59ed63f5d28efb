//! The command line of a daemon process.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

/// Who a daemon is, and how fast it is.
#[derive(Debug, Clone, clap::Args)]
pub struct Identity {
    /// Folder of the server's socket
    #[arg(long)]
    pub host: PathBuf,
    /// Database of the fleet
    #[arg(long)]
    pub database: String,
    /// Workspace to register in
    #[arg(long)]
    pub workspace: Uuid,
    /// Disk of the machine, where agents keep their sessions
    #[arg(long)]
    pub disk: PathBuf,
    /// Provider of its one runtime
    #[arg(long)]
    pub provider: String,
    /// Daemon id of the machine
    #[arg(long)]
    pub daemon_id: String,
    /// Daemon id of the machine whose place it takes
    #[arg(long)]
    pub legacy_id: Option<String>,
    /// How many tasks it works on at the same time
    #[arg(long)]
    pub places: usize,
    /// Pause between two rounds, in milliseconds. In a round it claims tasks and does one step of each
    #[arg(long)]
    pub round: u64,
    /// Time between two heartbeats, in milliseconds
    #[arg(long)]
    pub heartbeat: u64,
    /// Whether it reports the progress of its agents
    #[arg(long)]
    pub reports_progress: bool,
}

impl Identity {
    /// Pause between two rounds.
    pub fn round(&self) -> Duration {
        Duration::from_millis(self.round)
    }

    /// Time between two heartbeats.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat)
    }

    /// The registration of a process of this daemon. It fails what an earlier process of the daemon left in flight.
    pub fn registration(&self, incarnation: Uuid) -> Value {
        json!({
            "daemon_id": self.daemon_id,
            "legacy_daemon_ids": self.legacy_id.iter().collect::<Vec<_>>(),
            "device_name": self.daemon_id,
            "cli_version": "1.0.0",
            "launched_by": "demo",
            "incarnation": incarnation.to_string(),
            "recover": true,
            "runtimes": [{"type": self.provider, "version": "1.0.0"}],
        })
    }

    /// The arguments that [`Identity`] is parsed from.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        add("host", self.host.display().to_string());
        add("database", self.database.clone());
        add("workspace", self.workspace.to_string());
        add("disk", self.disk.display().to_string());
        add("provider", self.provider.clone());
        add("daemon-id", self.daemon_id.clone());
        add("places", self.places.to_string());
        add("round", self.round.to_string());
        add("heartbeat", self.heartbeat.to_string());
        if let Some(legacy) = &self.legacy_id {
            add("legacy-id", legacy.clone());
        }
        if self.reports_progress {
            arguments.push("--reports-progress".into());
        }
        arguments
    }
}
