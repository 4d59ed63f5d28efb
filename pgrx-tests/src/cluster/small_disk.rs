//! A small filesystem for the relations of a cluster, so that its disk can be full while the machine's disk is not. The
//! WAL and the control file are not on it, because a server without space for those stops.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::unistd::geteuid;

use super::Cluster;
use super::process::output;

/// Fills the remaining space until it is dropped.
pub struct Ballast(PathBuf);

impl Cluster {
    /// Moves the relations of a stopped cluster to a filesystem in memory of this many megabytes. Only root can do
    /// that; for other users the function does nothing.
    pub(super) fn move_to_small_disk(&self, megabytes: u32) -> Result<()> {
        if !geteuid().is_root() {
            return Ok(());
        }
        let (relations, moved) = (self.data().join("base"), self.data().join("base.moved"));
        fs::rename(&relations, &moved)?;
        fs::create_dir(&relations)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(&relations)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            fs::remove_dir(&relations)?;
            fs::rename(&moved, &relations)?;
            return Ok(());
        }
        fs::set_permissions(&relations, fs::Permissions::from_mode(0o700))?;
        self.user.own(&relations)?;
        output(Command::new("cp").arg("-a").arg(moved.join(".")).arg(&relations))?;
        Ok(fs::remove_dir_all(moved)?)
    }

    /// Fills the small filesystem completely. Returns None if the cluster has none.
    pub fn fill_disk(&self) -> Result<Option<Ballast>> {
        if !is_mounted(&self.base) {
            return Ok(None);
        }
        let file = self.data().join("base/ballast");
        let ballast = Ballast(file.clone());
        let mut file = fs::File::create(file).context("cannot fill the disk")?;
        for chunk in [vec![0; 1 << 20], vec![0; 4096]] {
            while file.write_all(&chunk).is_ok() {}
        }
        Ok(Some(ballast))
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Unmounts the small filesystem of a cluster's folder, if it has one.
pub(super) fn unmount(base: &Path) {
    if is_mounted(base) {
        let _ = Command::new("umount").arg("--lazy").arg(base.join("data/base")).output();
    }
}

fn is_mounted(base: &Path) -> bool {
    let point = base.join("data/base").to_string_lossy().into_owned();
    fs::read_to_string("/proc/self/mounts")
        .unwrap_or_default()
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(point.as_str()))
}
