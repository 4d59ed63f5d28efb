//! The daemons of the demo: processes of their own, which know nothing but a connection.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::{Client, NoTls};
use serde_json::json;
use uuid::Uuid;

use crate::cluster::{Cluster, PORT, SUPERUSER};

/// Pause between two heartbeats.
const BEAT: Duration = Duration::from_millis(500);

/// What a daemon process is told on its command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Identity {
    /// Folder of the server's socket
    #[arg(long)]
    host: PathBuf,
    /// Database of the fleet
    #[arg(long)]
    database: String,
    /// Workspace to register in
    #[arg(long)]
    workspace: Uuid,
    /// Identity of the machine
    #[arg(long)]
    daemon_id: String,
    /// An identity the machine had before
    #[arg(long)]
    legacy_id: Option<String>,
    /// Provider of its one runtime
    #[arg(long)]
    provider: String,
    /// Give up what the process before this one left in flight
    #[arg(long)]
    recover: bool,
    /// A task that this daemon still runs
    #[arg(long)]
    running: Vec<Uuid>,
}

impl Identity {
    /// A machine that is new to a fleet.
    pub fn new(
        cluster: &Cluster,
        database: &str,
        workspace: Uuid,
        daemon_id: &str,
        provider: &str,
    ) -> Identity {
        Identity {
            host: cluster.socket_folder(),
            database: database.into(),
            workspace,
            daemon_id: daemon_id.into(),
            provider: provider.into(),
            ..Identity::default()
        }
    }

    /// The same machine, whose next process gives up what the one before left behind.
    pub fn recovering(mut self) -> Identity {
        self.recover = true;
        self
    }

    /// The same machine under a new identity, with an agent that outlived the change.
    pub fn renamed(mut self, daemon_id: &str, running: Uuid) -> Identity {
        self.legacy_id = Some(std::mem::replace(&mut self.daemon_id, daemon_id.into()));
        self.running = vec![running];
        self
    }

    fn registration(&self) -> serde_json::Value {
        let running: Vec<String> = self.running.iter().map(Uuid::to_string).collect();
        json!({
            "daemon_id": self.daemon_id,
            "legacy_daemon_ids": self.legacy_id.iter().collect::<Vec<_>>(),
            "device_name": self.daemon_id,
            "cli_version": "1.0.0",
            "launched_by": "demo",
            "recover": self.recover,
            "runtimes": [{"type": self.provider, "version": "1.0.0", "status": "online", "running": running}],
        })
    }

    fn connect(&self) -> Result<Client> {
        let mut config = postgres::Config::new();
        config
            .host_path(&self.host)
            .port(PORT)
            .user(SUPERUSER)
            .dbname(&self.database);
        config.application_name(&format!("daemon {}", self.daemon_id));
        Ok(config.connect(NoTls)?)
    }
}

/// The life of a daemon process: register, say so, then beat until killed or until the demo is gone.
pub fn live(identity: &Identity) -> Result<Infallible> {
    let mut client = identity.connect()?;
    let register = "SELECT id FROM multica_register($1, $2)";
    let runtime: Uuid = client
        .query_one(register, &[&identity.workspace, &identity.registration()])?
        .get(0);
    println!("{runtime}");
    // The demo holds the other end; a demo that was killed leaves no daemons behind.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let beat = client.prepare("SELECT stop_task_ids FROM multica_heartbeat($1, $2)")?;
    loop {
        let stop: Option<Vec<Uuid>> = client
            .query_one(&beat, &[&runtime, &identity.running])?
            .get(0);
        if let Some(task) = stop.unwrap_or_default().first() {
            bail!("told to stop task {task}, which it was to keep");
        }
        std::thread::sleep(BEAT);
    }
}

/// The demo's hold on a daemon process.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts a process and waits until it has registered.
    pub fn start(identity: &Identity) -> Result<Daemon> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("daemon")
            .arg("--host")
            .arg(&identity.host)
            .args(["--database", &identity.database]);
        command.args([
            "--workspace",
            &identity.workspace.to_string(),
            "--daemon-id",
            &identity.daemon_id,
        ]);
        command.args(["--provider", &identity.provider]);
        if let Some(legacy) = &identity.legacy_id {
            command.args(["--legacy-id", legacy]);
        }
        if identity.recover {
            command.arg("--recover");
        }
        for task in &identity.running {
            command.args(["--running", &task.to_string()]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a daemon")?;
        let mut line = String::new();
        if let Some(pipe) = child.stdout.take() {
            BufReader::new(pipe).read_line(&mut line)?;
        }
        if line.trim().parse::<Uuid>().is_err() {
            child.wait()?;
            bail!("{} did not register", identity.daemon_id);
        }
        Ok(Daemon { child })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process still lives.
    pub fn alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// SIGKILL: no goodbye, no deregistration.
    pub fn kill(&mut self) -> Result<()> {
        if self.alive()? {
            kill(
                Pid::from_raw(self.child.id().cast_signed()),
                Signal::SIGKILL,
            )?;
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
