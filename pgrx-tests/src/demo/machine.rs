//! How the demo controls a machine: its identity, and its current daemon process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use super::identity::Identity;
use super::orders::Order;

/// A line that a daemon has printed.
pub struct Printed {
    /// When.
    pub at: SystemTime,
    /// The daemon id of its machine.
    pub machine: String,
    /// The line.
    pub text: String,
}

/// A machine of the fleet.
pub struct Machine {
    identity: Identity,
    output: Sender<Printed>,
    daemon: Child,
    away: bool,
}

impl Machine {
    /// Starts its daemon, and waits until the daemon has registered. What it prints later is sent to `output`.
    pub fn start(identity: Identity, output: Sender<Printed>) -> Result<Machine> {
        let daemon = spawn(&identity, &output)?;
        Ok(Machine { identity, output, daemon, away: false })
    }

    /// Its current daemon id.
    pub fn name(&self) -> &str {
        &self.identity.daemon_id
    }

    /// How many steps its agents have done, the slowest one counted. 0 before all of them have begun.
    pub fn steps_done(&self) -> usize {
        super::session_folder::fewest_steps(&self.identity.disk, self.identity.places)
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

    /// Starts a new daemon process in place of the one that was killed.
    pub fn restart(&mut self) -> Result<()> {
        self.daemon = spawn(&self.identity, &self.output)?;
        self.away = false;
        Ok(())
    }

    /// Starts a daemon with another daemon id on the disk of this machine, in place of the one that was killed.
    pub fn replace(&mut self, daemon_id: &str) -> Result<()> {
        self.identity.legacy_id = Some(std::mem::replace(&mut self.identity.daemon_id, daemon_id.into()));
        self.restart()
    }

    /// Sends SIGSTOP. The daemon pauses, like a laptop whose lid is closed.
    pub fn sleep(&mut self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Sends SIGCONT. A paused daemon continues.
    pub fn wake_up(&mut self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Gives an order to the daemon.
    pub fn order(&mut self, order: Order) -> Result<()> {
        let input = self.daemon.stdin.as_mut().context("the daemon has no input")?;
        Ok(writeln!(input, "{}", order.line())?)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.daemon.id().cast_signed()), signal)?;
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn spawn(identity: &Identity, output: &Sender<Printed>) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("daemon").args(identity.arguments());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start a daemon")?;
    let mut lines = BufReader::new(child.stdout.take().context("it has no output")?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    if line.trim().parse::<Uuid>().is_err() {
        child.wait()?;
        bail!("{} did not register", identity.daemon_id);
    }
    let (output, machine) = (output.clone(), identity.daemon_id.clone());
    std::thread::spawn(move || {
        for text in lines.lines().map_while(Result::ok) {
            let _ = output.send(Printed { at: SystemTime::now(), machine: machine.clone(), text });
        }
    });
    Ok(child)
}
