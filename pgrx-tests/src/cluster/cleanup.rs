//! Removes every cluster at the end of its run, however the run ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::process::{alive, children};
use super::small_disk;
use crate::project::Project;

/// The name of a file that marks a cluster which stays after its run.
pub(super) const KEPT: &str = "kept";

/// The folders of this process's clusters.
static OPEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

pub(super) fn register(base: &Path) {
    open().push(base.to_path_buf());
}

pub(super) fn forget(base: &Path) {
    open().retain(|known| known != base);
}

fn open() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    OPEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Removes all clusters when a signal interrupts the run, then exits with the status of that signal.
pub fn exit_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            for base in open().drain(..) {
                let _ = remove(&base);
            }
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

/// Removes the clusters of runs that were killed. The name of a cluster's folder contains the process id of its run.
pub fn remove_leftovers(project: &Project) -> Result<()> {
    for (base, owner) in clusters(project) {
        if !base.join(KEPT).exists() && !alive(Pid::from_raw(owner)) {
            remove(&base)?;
        }
    }
    Ok(())
}

/// Removes the clusters that an earlier run kept. Returns how many.
pub fn remove_kept(project: &Project) -> Result<usize> {
    let kept: Vec<PathBuf> =
        clusters(project).into_iter().map(|(base, _)| base).filter(|base| base.join(KEPT).exists()).collect();
    kept.iter().try_for_each(|base| remove(base))?;
    Ok(kept.len())
}

fn clusters(project: &Project) -> Vec<(PathBuf, i32)> {
    let entries = fs::read_dir(project.work.join("clusters")).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((entry.path(), name.rsplit('-').nth(1)?.parse().ok()?))
        })
        .collect()
}

/// Kills the server of a cluster's folder, if it is running, and deletes the folder.
fn remove(base: &Path) -> Result<()> {
    if let Ok(text) = fs::read_to_string(base.join("data/postmaster.pid"))
        && let Some(pid) = text.lines().next().and_then(|line| line.trim().parse().ok())
    {
        let postmaster = Pid::from_raw(pid);
        // The process id may belong to another process by now, so only a process that was started on this data
        // directory is killed.
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command_line).contains(&*base.to_string_lossy()) {
            let mut victims = children(postmaster)?;
            victims.push(postmaster);
            for victim in victims {
                let _ = kill(victim, Signal::SIGKILL);
            }
            let started = Instant::now();
            while alive(postmaster) && started.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    small_disk::unmount(base);
    fs::remove_dir_all(base)?;
    Ok(())
}
