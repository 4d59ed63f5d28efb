//! SQL files for some generations. Each creates a function, inserts rows or changes rows.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// One file `FIRST_name.sql` or `FIRST-LAST_name.sql`. It belongs to the generations whose last migration is FIRST or
/// later and, if LAST is given, not later than LAST.
pub struct Script {
    /// The name of its file.
    pub name: String,
    /// The SQL.
    pub text: String,
    first: u32,
    last: u32,
}

impl Script {
    /// Reads every script of a folder, sorted by FIRST and then by name.
    pub fn all(folder: &Path) -> Result<Vec<Script>> {
        let mut scripts = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("no folder {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (first, last) =
                span(&name).with_context(|| format!("{} does not begin with a number", path.display()))?;
            scripts.push(Script { text: fs::read_to_string(&path)?, name, first, last });
        }
        scripts.sort_by(|one, other| (one.first, &one.name).cmp(&(other.first, &other.name)));
        Ok(scripts)
    }

    /// Whether the script belongs to the generation whose last migration is this one.
    pub fn is_of(&self, migration: u32) -> bool {
        (self.first..=self.last).contains(&migration)
    }
}

fn span(name: &str) -> Option<(u32, u32)> {
    let numbers = name.split('_').next()?;
    match numbers.split_once('-') {
        Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)),
        None => Some((numbers.parse().ok()?, u32::MAX)),
    }
}
