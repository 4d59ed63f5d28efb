//! The queries of `invariants/`. Each row that a query returns is a violation.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use postgres::Client;

use crate::project::Project;
use crate::query::values;

/// The queries, in the order of their names.
pub fn files(project: &Project) -> Result<Vec<PathBuf>> {
    let folder = project.harness().join("invariants");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|found| found == "sql"));
    files.sort();
    ensure!(files.len() > 12, "I1 to I12 have a file each, and there are more");
    Ok(files)
}

/// Runs all queries.
pub fn check(project: &Project, client: &mut Client) -> Result<()> {
    let mut broken = Vec::new();
    for file in files(project)? {
        let rows = values(client, &std::fs::read_to_string(&file)?)?;
        if !rows.is_empty() {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let first = rows[..rows.len().min(5)].join("\n    ");
            broken.push(format!("{name} ({} rows)\n    {first}", rows.len()));
        }
    }
    ensure!(broken.is_empty(), "broken: {}", broken.join("\n"));
    Ok(())
}
