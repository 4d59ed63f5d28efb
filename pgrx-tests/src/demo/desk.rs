//! Where an agent's session lives on the disk of its machine: a folder with a line for every step that was done.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder of one session.
pub struct Desk {
    folder: PathBuf,
}

impl Desk {
    /// The session of this name, as it was left, or a new one.
    pub fn of(disk: &Path, session: &str) -> Result<Desk> {
        let folder = disk.join(session);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Desk { folder })
    }

    /// The working directory that is pinned.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of the session.
    pub fn session(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Does the next step. What was done before is not done again: that is what resuming is for.
    pub fn step(&mut self) -> Result<()> {
        let line = format!("step {}\n", self.steps_done() + 1);
        let mut log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        log.write_all(line.as_bytes())?;
        Ok(())
    }

    /// How many steps were done, by whichever process.
    pub fn steps_done(&self) -> usize {
        fs::read_to_string(self.log()).map_or(0, |log| log.lines().count())
    }

    fn log(&self) -> PathBuf {
        self.folder.join("steps")
    }
}
