//! The installed Postgres of which private copies are made.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::build;
use crate::project::Project;

/// The folders of one Postgres installation, as its pg_config reports them.
#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// Major version.
    pub major: u32,
    /// The full version with the packager's suffix. If it changes, copies are made again.
    pub version: String,
    /// Folder of `postgres` and `initdb`.
    pub bindir: PathBuf,
    /// Folder of loadable libraries.
    pub pkglibdir: PathBuf,
    /// Folder of `extension/`.
    pub sharedir: PathBuf,
    /// Folder of the server's headers.
    pub includedir: PathBuf,
    /// The folder into which the package of the headers is unpacked if it cannot be installed without an upgrade of the
    /// server.
    pub unpacked: PathBuf,
}

impl ServerFiles {
    /// Finds the installation to copy: from `MULTICA_PG_CONFIG`, in the usual folders, or compiled by the harness.
    pub fn find(project: &Project, major: u32) -> Option<ServerFiles> {
        let mut candidates: Vec<PathBuf> =
            std::env::var_os("MULTICA_PG_CONFIG").map(PathBuf::from).into_iter().collect();
        candidates.extend([
            PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/pg_config")),
            PathBuf::from(format!("/usr/pgsql-{major}/bin/pg_config")),
            PathBuf::from(format!("/opt/homebrew/opt/postgresql@{major}/bin/pg_config")),
            PathBuf::from("pg_config"),
        ]);
        candidates.extend(build::pg_config(project, major));
        candidates
            .iter()
            .filter_map(|path| ServerFiles::ask(project, path).ok())
            .find(|files| files.major == major && files.bindir.join("postgres").exists())
    }

    /// Whether the server's headers are installed or unpacked.
    pub fn has_headers(&self) -> bool {
        let header = self.includedir.join("postgres.h");
        header.exists() || below(&self.unpacked, &header).exists()
    }

    /// Folder of the build files and test programs for extensions.
    pub fn pgxs(&self) -> PathBuf {
        self.pkglibdir.join("pgxs")
    }

    fn ask(project: &Project, pg_config: &Path) -> Result<ServerFiles> {
        let ask = |option: &str| -> Result<String> {
            let output = Command::new(pg_config).arg(option).output()?;
            if !output.status.success() {
                bail!("{} {option} failed", pg_config.display());
            }
            Ok(String::from_utf8(output.stdout)?.trim().to_string())
        };
        let version = ask("--version")?;
        let number = version.split_whitespace().nth(1).context("pg_config reports no version")?;
        let major = number.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse()?;
        Ok(ServerFiles {
            major,
            bindir: ask("--bindir")?.into(),
            pkglibdir: ask("--pkglibdir")?.into(),
            sharedir: ask("--sharedir")?.into(),
            includedir: ask("--includedir-server")?.into(),
            unpacked: project.work.join(format!("unpacked-{major}")),
            version,
        })
    }
}

/// Returns the absolute path `path` below another root.
pub fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
