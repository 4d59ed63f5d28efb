//! Finds or installs cargo-pgrx in exactly the version of the pgrx crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::missing::Missing;
use crate::console::run_step;
use crate::project::Project;

/// The version that the extension's `Cargo.toml` pins.
pub const VERSION: &str = "0.18.1";

/// The path of the program below the folder that cargo installs into.
const BINARY: &str = "bin/cargo-pgrx";

/// Finds cargo-pgrx or installs it: in the usual folder if there is none, in a private folder if the user has another
/// version.
pub fn ensure(project: &Project) -> Result<PathBuf> {
    if let Some(found) = find(project) {
        return Ok(found);
    }
    let arguments = arguments(project);
    let installed = if arguments.iter().any(|one| one == "--root") {
        private(project).join(BINARY)
    } else {
        PathBuf::from("cargo-pgrx")
    };
    let mut command = Command::new("cargo");
    command.args(arguments).env("CARGO_PROFILE_DEV_DEBUG", "0").current_dir(&project.work);
    run_step(&format!("installing cargo-pgrx {VERSION} (once, some minutes)"), &mut command)?;
    if version(&installed).is_some() {
        return Ok(installed);
    }
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .context("neither CARGO_HOME nor a home directory")?;
    Ok(home.join("bin/cargo-pgrx"))
}

/// Returns what will be installed, or None if it is already there.
pub fn missing(project: &Project) -> Option<Missing> {
    let why = "builds and installs the library; some minutes, once";
    let command = || format!("cargo {}", arguments(project).join(" "));
    let is_missing = find(project).is_none();
    is_missing.then(|| Missing::by_hand(format!("cargo-pgrx {VERSION}"), why, command()))
}

fn find(project: &Project) -> Option<PathBuf> {
    [PathBuf::from("cargo-pgrx"), private(project).join(BINARY)]
        .into_iter()
        .find(|candidate| version(candidate).as_deref() == Some(VERSION))
}

/// The folder in which it is installed for this checkout alone.
fn private(project: &Project) -> PathBuf {
    project.work.join("tools")
}

/// Returns the arguments of the installation. The default features are left out: they are only for downloads of
/// Postgres, and require OpenSSL's headers and pkg-config. An unoptimized build takes less than half of the time, and
/// what it then does takes no noticeable time.
fn arguments(project: &Project) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["install", "cargo-pgrx", "--locked", "--debug", "--version", VERSION, "--no-default-features"]
            .map(str::to_string)
            .to_vec();
    if version(Path::new("cargo-pgrx")).is_some() {
        arguments.push("--root".into());
        arguments.push(private(project).display().to_string());
    }
    arguments
}

fn version(binary: &Path) -> Option<String> {
    let output = Command::new(binary).args(["pgrx", "--version"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().last().map(str::to_string)
}
