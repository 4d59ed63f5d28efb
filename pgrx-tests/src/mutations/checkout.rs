//! A copy of the checkout below the work folder: whatever ends a run, the checkout itself is never mutated.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cluster::output;
use crate::project::Project;

/// The copy's build folder, kept from run to run.
const TARGET: &str = "target";

/// The copy as a project of its own: its clusters, private servers and builds are not those of the checkout.
pub fn project(original: &Project) -> Result<Project> {
    let work = original.work.join("mutations");
    let root = work.join("checkout");
    fs::create_dir_all(&root)?;
    Ok(Project { root, work, may_install: original.may_install })
}

/// Makes the copy equal to the checkout, uncommitted changes included. What is equal already is not touched, so that it
/// is not built again.
pub fn restore(original: &Project, copy: &Project) -> Result<()> {
    let listed = output(Command::new("git").current_dir(&original.root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let files: BTreeSet<PathBuf> = listed
        .split('\0')
        .filter(|path| !path.is_empty() && original.root.join(path).is_file())
        .map(PathBuf::from)
        .collect();
    for file in &files {
        let (from, to) = (original.root.join(file), copy.root.join(file));
        if fs::read(&to).is_ok_and(|found| fs::read(&from).is_ok_and(|wanted| wanted == found)) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, to)?;
    }
    remove_others(&copy.root, Path::new(""), &files)
}

fn remove_others(root: &Path, folder: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if path == Path::new(TARGET) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            remove_others(root, &path, files)?;
        } else if !files.contains(&path) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
