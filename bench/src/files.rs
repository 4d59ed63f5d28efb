//! The files of the bench: the SQL of the cells, and the programs and SQL of the other queues.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use multica_harness::project::Project;

/// Returns the folder of this package.
pub fn folder(project: &Project) -> PathBuf {
    project.root.join("bench")
}

/// Returns the text of a file of `sql/`.
pub fn sql(project: &Project, name: &str) -> Result<String> {
    read(&folder(project).join("sql").join(name))
}

/// Returns the text of any file.
pub fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
