//! The folders of the harness: the checkout, and the work directory of this checkout.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::getuid;
use uuid::Uuid;

/// The home version of Postgres. The demo and the bench use it, and every test runs on it.
pub const MAJOR: u32 = 15;

/// One checkout of the extension and its private work directory.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// The folder of copies of Postgres, clusters and build stamps. The unprivileged user of the server can read it.
    pub work: PathBuf,
    /// Whether missing programs may be installed.
    pub may_install: bool,
}

impl Project {
    /// Returns the checkout that this harness was started from. `MULTICA_WORK` overrides the work directory.
    pub fn locate() -> Result<Project> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .parent()
            .context("the harness package has no parent folder")?
            .canonicalize()
            .with_context(|| format!("{} is gone", package.display()))?;
        if !root.join("multica.control").exists() {
            bail!("{} is not a checkout of multica", root.display());
        }
        let work = match std::env::var_os("MULTICA_WORK") {
            Some(path) => PathBuf::from(path),
            None => default_work(&root),
        };
        prepare_work(&work)?;
        let work = work.canonicalize()?;
        Ok(Project { root, work, may_install: true })
    }

    /// Returns the same project; if `no_install` is true, nothing may be installed.
    pub fn without_installing(&self, no_install: bool) -> Project {
        Project { may_install: self.may_install && !no_install, ..self.clone() }
    }

    /// The folder of the harness package, with golden files, isolation specs and fixtures.
    pub fn harness(&self) -> PathBuf {
        self.root.join("pgrx-tests")
    }

    /// Returns every file of a folder of texts, such as `src` or `sql`, and of the folders in it, with its path relative to that folder and its
    /// text, sorted by path.
    pub fn sources(&self, folder: &str) -> Result<Vec<(String, String)>> {
        let root = self.root.join(folder);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next).with_context(|| format!("no folder {}", next.display()))? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root)?.display().to_string();
                    found.push((name, fs::read_to_string(path)?));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Waits until no other run of this checkout prepares tools, copies or builds.
    pub fn lock(&self) -> Result<Flock<fs::File>> {
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.work.join("lock"))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| anyhow::anyhow!("cannot lock the work directory: {errno}"))
    }
}

/// Returns a folder outside the home directory, because the server's user must be able to enter it.
fn default_work(root: &Path) -> PathBuf {
    let identity = format!("{} {}", root.display(), getuid());
    let key = Uuid::new_v5(&Uuid::NAMESPACE_URL, identity.as_bytes());
    let key = key.simple().to_string();
    Path::new("/var/tmp").join(format!("multica-{}", &key[..8]))
}

/// Creates the work directory. Its name is predictable and every user can write to /var/tmp, so a directory of another
/// user is refused.
fn prepare_work(work: &Path) -> Result<()> {
    if !work.exists() {
        fs::create_dir_all(work).with_context(|| format!("cannot create {}", work.display()))?;
        fs::set_permissions(work, fs::Permissions::from_mode(0o755))?;
    }
    let meta = fs::symlink_metadata(work)?;
    if !meta.is_dir() || meta.uid() != getuid().as_raw() {
        bail!("{} is not a directory of this user; set MULTICA_WORK to another place", work.display());
    }
    Ok(())
}
