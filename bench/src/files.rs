//! The files beside this program: SQL of the cells, and programs and SQL of the queues that are measured beside ours.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use multica_harness::project::Project;

/// The folder of this package.
pub fn folder(project: &Project) -> PathBuf {
    project.root.join("bench")
}

/// The text of a file of `sql/`.
pub fn sql(project: &Project, name: &str) -> Result<String> {
    read(&folder(project).join("sql").join(name))
}

/// The text of any file.
pub fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
