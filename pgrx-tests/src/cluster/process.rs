//! The server process of a cluster: starts it, stops it, kills it, and returns its state.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Cluster;

/// The mode in which a server is stopped.
#[derive(Debug, Clone, Copy)]
pub enum Shutdown {
    /// Ends all sessions and rolls back their transactions.
    Fast,
    /// Writes no checkpoint, so the next start recovers as after a crash.
    Immediate,
}

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);

impl Cluster {
    /// Starts the server and waits until it accepts connections.
    pub fn start(&self) -> Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let mut command = self.copy.command(&self.copy.program("postgres"));
        command.arg("-D").arg(self.data()).current_dir(&self.base);
        command.envs(self.environment.iter().cloned());
        // The server is not in the terminal's process group, so an interrupt reaches only the harness, which then
        // removes the cluster.
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.user.apply(&mut command);
        let child = command.spawn().context("cannot start postgres")?;
        *self.slot() = Some(child);
        let started = Instant::now();
        loop {
            if self.ready() {
                return Ok(());
            }
            if let Some(child) = self.slot().as_mut()
                && let Some(status) = child.try_wait()?
            {
                bail!("the server ended while starting ({status}):\n{}", self.log()?);
            }
            if started.elapsed() > START_LIMIT {
                bail!("the server does not come up:\n{}", self.log()?);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops the server and waits for its end.
    pub fn stop(&self, how: Shutdown) -> Result<()> {
        let signal = match how {
            Shutdown::Fast => Signal::SIGINT,
            Shutdown::Immediate => Signal::SIGQUIT,
        };
        let started = Instant::now();
        kill(self.pid()?, signal)?;
        loop {
            let mut slot = self.slot();
            let Some(child) = slot.as_mut() else {
                return Ok(());
            };
            if child.try_wait()?.is_some() {
                *slot = None;
                return Ok(());
            }
            drop(slot);
            if started.elapsed() > STOP_LIMIT {
                bail!("the server does not stop ({how:?}):\n{}", self.log()?);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the server and starts it again.
    pub fn restart(&self) -> Result<()> {
        self.stop(Shutdown::Fast)?;
        self.start()
    }

    /// Sends SIGKILL to the postmaster and all its children, as the kernel does when the machine has no memory left.
    pub fn kill(&self) -> Result<()> {
        let Some(mut child) = self.slot().take() else {
            return Ok(());
        };
        let postmaster = Pid::from_raw(child.id().cast_signed());
        // A stopped postmaster cannot start new processes while its children are listed.
        let _ = kill(postmaster, Signal::SIGSTOP);
        let mut victims = children(postmaster)?;
        victims.push(postmaster);
        for pid in &victims {
            let _ = kill(*pid, Signal::SIGKILL);
        }
        child.wait()?;
        let started = Instant::now();
        while victims.iter().any(|pid| alive(*pid)) && started.elapsed() < STOP_LIMIT {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Sends SIGKILL to the postmaster alone, and waits until its children have noticed that and exited.
    pub fn behead(&self) -> Result<()> {
        let Some(mut child) = self.slot().take() else {
            return Ok(());
        };
        let postmaster = Pid::from_raw(child.id().cast_signed());
        let _ = kill(postmaster, Signal::SIGSTOP);
        let orphans = children(postmaster)?;
        kill(postmaster, Signal::SIGKILL)?;
        child.wait()?;
        Cluster::wait_until("every process has noticed that its postmaster is gone", STOP_LIMIT, || {
            Ok(!orphans.iter().any(|pid| alive(*pid)))
        })
        .inspect_err(|_| {
            for pid in orphans.iter().filter(|pid| alive(**pid)) {
                eprintln!("{} has not noticed", command_line(*pid));
                let _ = kill(*pid, Signal::SIGKILL);
            }
        })
    }

    /// Makes the server read its configuration files again.
    pub fn reload(&self) -> Result<()> {
        kill(self.pid()?, Signal::SIGHUP)?;
        Ok(())
    }

    /// Promotes a standby and waits until it accepts writes.
    pub fn promote(&self) -> Result<()> {
        let promoted: bool = self.connect("postgres")?.query_one("SELECT pg_promote()", &[])?.get(0);
        if promoted { Ok(()) } else { bail!("the standby was not promoted:\n{}", self.log()?) }
    }

    /// Returns the process id of the postmaster.
    pub fn pid(&self) -> Result<Pid> {
        let slot = self.slot();
        let child = slot.as_ref().context("the server is not running")?;
        Ok(Pid::from_raw(child.id().cast_signed()))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<std::process::Child>> {
        self.server.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether the server accepts connections. The postmaster writes its state into the eighth line of its pid file.
    /// The first line is its process id: a killed server may have left a file with another one.
    fn ready(&self) -> bool {
        let Ok(text) = fs::read_to_string(self.data().join("postmaster.pid")) else {
            return false;
        };
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let ours = self.slot().as_ref().is_some_and(|child| lines.first() == Some(&child.id().to_string().as_str()));
        ours && matches!(lines.get(7), Some(&"ready" | &"standby"))
    }
}

/// Runs a command to its end. Returns its output, or an error that contains the output.
pub fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {program}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{program} failed ({}):\n{stdout}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(stdout)
}

/// Returns the processes whose parent is `parent`.
pub(super) fn children(parent: Pid) -> Result<Vec<Pid>> {
    let listing =
        output(Command::new("ps").args(["-A", "-o", "pid=,ppid="]).env_remove("PS_FORMAT")).or_else(|_| from_proc())?;
    Ok(listing
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().map(str::parse::<i32>);
            let (pid, owner) = (fields.next()?.ok()?, fields.next()?.ok()?);
            (owner == parent.as_raw()).then_some(Pid::from_raw(pid))
        })
        .collect())
}

fn command_line(pid: Pid) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Makes the same list from /proc, on a system without `ps`.
fn from_proc() -> Result<String> {
    let mut listing = String::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The name in parentheses may contain anything; the parent is the second field after it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if let Some(parent) = parent {
            listing.push_str(&format!("{} {parent}\n", entry.file_name().to_string_lossy()));
        }
    }
    Ok(listing)
}

/// Whether a process exists and is not a zombie.
pub(super) fn alive(pid: Pid) -> bool {
    if kill(pid, None).is_err() {
        return false;
    }
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(')').map(|(_, rest)| !rest.trim_start().starts_with('Z')))
        .unwrap_or(true)
}
