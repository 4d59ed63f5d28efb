//! A copy of the checkout below the work folder, so that a run never changes the checkout itself, however the run ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cluster::output;
use crate::project::Project;

/// The build folder of the copy, which is kept between runs.
const TARGET: &str = "target";

/// Returns the copy as a project with its own clusters, private servers and builds.
pub fn project(original: &Project) -> Result<Project> {
    let work = original.work.join("mutations");
    let root = work.join("checkout");
    fs::create_dir_all(&root)?;
    Ok(Project { root, work, may_install: original.may_install })
}

/// Makes the copy equal to the checkout, uncommitted changes included. Files that are already equal are not written, so
/// that cargo does not build them again.
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
