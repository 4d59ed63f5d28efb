//! The patches of `cargo mutations`. Each breaks one guard of the extension and names the tests that must fail then.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::cluster::output;
use crate::project::Project;

/// The beginning of the line that names the tests.
const CAUGHT_BY: &str = "caught by:";

/// One patch: a sentence that describes what it breaks, a line `caught by: suite/test`, and a unified diff.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// The name of the file without its extension.
    pub name: String,
    /// What it breaks.
    pub breaks: String,
    /// The tests that must all fail.
    pub tests: Vec<String>,
    /// The files that it changes.
    pub changes: Vec<String>,
    file: PathBuf,
}

impl Mutation {
    /// Returns all patches, in the order of their names.
    pub fn list(project: &Project) -> Result<Vec<Mutation>> {
        let folder = project.harness().join("mutations");
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("no folder {}", folder.display()))? {
            files.push(entry?.path());
        }
        files.retain(|file| file.extension().is_some_and(|found| found == "patch"));
        files.sort();
        files.iter().map(|file| Mutation::read(file)).collect()
    }

    fn read(file: &Path) -> Result<Mutation> {
        let text = fs::read_to_string(file)?;
        let header: Vec<&str> = text.lines().take_while(|line| !line.starts_with("--- ")).collect();
        let (tests, breaks): (Vec<&str>, Vec<&str>) = header.into_iter().partition(|line| line.starts_with(CAUGHT_BY));
        let tests: Vec<String> = tests
            .iter()
            .flat_map(|line| line[CAUGHT_BY.len()..].split(','))
            .map(|test| test.trim().to_string())
            .collect();
        let breaks = breaks.join(" ").trim().to_string();
        if tests.is_empty() || breaks.is_empty() {
            bail!("{} begins neither with what it breaks nor with {CAUGHT_BY:?} and a test", file.display());
        }
        Ok(Mutation {
            name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            breaks,
            tests,
            changes: text.lines().filter_map(|line| line.strip_prefix("+++ b/")).map(str::to_string).collect(),
            file: file.to_path_buf(),
        })
    }

    /// Fails with the reason if the patch does not apply to the files below `root`.
    pub fn check(&self, root: &Path) -> Result<()> {
        self.git_apply(root, &["--check"])
    }

    /// Applies the patch to the files below `root`.
    pub fn apply(&self, root: &Path) -> Result<()> {
        self.git_apply(root, &[])
    }

    fn git_apply(&self, root: &Path, options: &[&str]) -> Result<()> {
        let mut command = Command::new("git");
        command
            .current_dir(root)
            .args(["-c", "core.autocrlf=false", "apply", "--whitespace=nowarn"])
            .args(options)
            .arg(&self.file);
        // If `root` is inside another checkout, git would resolve the paths against that checkout, and skip files that
        // are not in it.
        if let Some(outside) = root.parent() {
            command.env("GIT_CEILING_DIRECTORIES", outside);
        }
        command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        output(&mut command).map(|_| ()).with_context(|| format!("{} does not apply", self.name))
    }
}
