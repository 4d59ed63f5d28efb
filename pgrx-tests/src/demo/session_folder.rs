//! An agent's session on the disk of its machine: a folder with a file that has one line per step.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder of one session.
pub struct SessionFolder {
    path: PathBuf,
}

impl SessionFolder {
    /// Opens the folder of this session, or makes it.
    pub fn open(disk: &Path, session: &str) -> Result<SessionFolder> {
        let path = disk.join(session);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(SessionFolder { path })
    }

    /// The working directory that the daemon pins.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the session.
    pub fn session(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Does the next step. Steps that an earlier attempt has done are not repeated.
    pub fn step(&mut self) -> Result<()> {
        let line = format!("step {}\n", self.steps_done() + 1);
        let mut log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        log.write_all(line.as_bytes())?;
        Ok(())
    }

    /// How many steps were done, by all processes together.
    pub fn steps_done(&self) -> usize {
        fs::read_to_string(self.log()).map_or(0, |log| log.lines().count())
    }

    fn log(&self) -> PathBuf {
        self.path.join("steps")
    }
}

/// How many steps the sessions of this disk have, the shortest one counted. 0 if there are fewer than `sessions`.
pub fn fewest_steps(disk: &Path, sessions: usize) -> usize {
    let Ok(folders) = fs::read_dir(disk) else { return 0 };
    let steps: Vec<usize> =
        folders.flatten().map(|folder| SessionFolder { path: folder.path() }.steps_done()).collect();
    if steps.len() < sessions { 0 } else { steps.into_iter().min().unwrap_or(0) }
}
