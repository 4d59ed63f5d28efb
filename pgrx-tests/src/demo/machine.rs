//! How the demo controls a machine: its identity, and its current daemon process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use super::daemon::Identity;
use super::timeline;

/// A machine of the fleet.
pub struct Machine {
    identity: Identity,
    daemon: Child,
    away: bool,
}

impl Machine {
    /// Starts its daemon, and waits until the daemon has registered.
    pub fn start(identity: Identity) -> Result<Machine> {
        let daemon = spawn(&identity)?;
        Ok(Machine { identity, daemon, away: false })
    }

    /// Its current daemon id.
    pub fn name(&self) -> &str {
        &self.identity.daemon_id
    }

    /// The process id of its daemon.
    pub fn pid(&self) -> u32 {
        self.daemon.id()
    }

    /// Whether its daemon was killed or stopped.
    pub fn is_away(&self) -> bool {
        self.away
    }

    /// Fails if the daemon ended without being killed.
    pub fn check(&mut self) -> Result<()> {
        match self.daemon.try_wait()? {
            Some(status) if !self.away => {
                bail!("the daemon of {} has ended by itself: {status}", self.name())
            }
            _ => Ok(()),
        }
    }

    /// Sends SIGKILL, so that the daemon does not deregister.
    pub fn kill(&mut self) -> Result<()> {
        self.away = true;
        self.daemon.kill()?;
        self.daemon.wait()?;
        Ok(())
    }

    /// Sends SIGSTOP. The daemon pauses, like a laptop whose lid is closed.
    pub fn sleep(&mut self) -> Result<()> {
        self.away = true;
        self.signal(Signal::SIGSTOP)
    }

    /// Whether its daemon is paused.
    pub fn is_asleep(&mut self) -> Result<bool> {
        Ok(self.away && self.daemon.try_wait()?.is_none())
    }

    /// Continues a paused daemon, or starts a new one.
    pub fn come_back(&mut self) -> Result<()> {
        if self.is_asleep()? {
            self.signal(Signal::SIGCONT)?;
        } else {
            self.daemon = spawn(&self.identity)?;
        }
        self.away = false;
        Ok(())
    }

    /// Starts a new daemon under a new daemon id; the tasks `running` are those whose agents are still running.
    pub fn come_back_as(&mut self, daemon_id: String, running: Vec<Uuid>) -> Result<()> {
        let before = std::mem::replace(&mut self.identity.daemon_id, daemon_id);
        let mut identity = self.identity.clone();
        identity.legacy_id = Some(before);
        identity.running = running;
        self.daemon = spawn(&identity)?;
        self.away = false;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid().cast_signed()), signal)?;
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn spawn(identity: &Identity) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("daemon");
    command.arg("--host").arg(&identity.host);
    command.args(["--database", &identity.database]);
    command.args(["--workspace", &identity.workspace.to_string()]);
    command.arg("--disk").arg(&identity.disk);
    command.args(["--provider", &identity.provider]);
    command.args(["--daemon-id", &identity.daemon_id]);
    if let Some(legacy) = &identity.legacy_id {
        command.args(["--legacy-id", legacy]);
    }
    for task in &identity.running {
        command.args(["--running", &task.to_string()]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start a daemon")?;
    let mut output = BufReader::new(child.stdout.take().context("it has no output")?);
    let mut line = String::new();
    output.read_line(&mut line)?;
    if line.trim().parse::<Uuid>().is_err() {
        child.wait()?;
        bail!("{} did not register", identity.daemon_id);
    }
    let name = identity.daemon_id.clone();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            timeline::print_of_daemon(&name, &line);
        }
    });
    Ok(child)
}
