//! The unprivileged user that servers run as, because Postgres refuses to run as root.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, User, chown, geteuid};

/// The user that owns clusters and runs servers.
#[derive(Debug, Clone)]
pub struct ServerUser {
    /// The login name, for messages.
    pub name: String,
    uid: Uid,
    gid: Gid,
    switch: bool,
}

impl ServerUser {
    /// Returns `postgres` for root, or `nobody` if that user does not exist; for any other user, the user.
    pub fn choose() -> Result<ServerUser> {
        let me = geteuid();
        if !me.is_root() {
            let user = User::from_uid(me)?;
            return Ok(ServerUser {
                name: user.as_ref().map_or_else(|| me.to_string(), |user| user.name.clone()),
                uid: me,
                gid: nix::unistd::getegid(),
                switch: false,
            });
        }
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name)? {
                return Ok(ServerUser { name: user.name, uid: user.uid, gid: user.gid, switch: true });
            }
        }
        anyhow::bail!("running as root, and neither user postgres nor user nobody exists")
    }

    /// Makes `command` run as this user.
    pub fn apply(&self, command: &mut Command) {
        if self.switch {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
    }

    /// Makes this user the owner of `path`.
    pub fn own(&self, path: &Path) -> Result<()> {
        if self.switch {
            chown(path, Some(self.uid), Some(self.gid))
                .with_context(|| format!("cannot give {} to {}", path.display(), self.name))?;
        }
        Ok(())
    }
}
