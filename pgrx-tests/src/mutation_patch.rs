//! The patches: one guard of the extension broken each, with the tests that have to notice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::cluster::output;
use crate::project::Project;

/// What the line begins with that names the tests.
const CAUGHT_BY: &str = "caught by:";

/// One patch: a unified diff below a sentence on what it breaks and a line `caught by: suite/test`.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// The file's name without its ending.
    pub name: String,
    /// What no longer holds with it.
    pub breaks: String,
    /// The tests of which each has to fail.
    pub tests: Vec<String>,
    /// The files that it changes.
    pub changes: Vec<String>,
    file: PathBuf,
}

impl Mutation {
    /// All patches, by name.
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

    /// Whether it still fits the files below `root`; says why not.
    pub fn check(&self, root: &Path) -> Result<()> {
        self.git_apply(root, &["--check"])
    }

    /// Changes the files below `root`.
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
        // Inside another checkout git would take the paths for those of the outer one, and leave out what is not in it.
        if let Some(outside) = root.parent() {
            command.env("GIT_CEILING_DIRECTORIES", outside);
        }
        command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        output(&mut command).map(|_| ()).with_context(|| format!("{} does not apply", self.name))
    }
}
