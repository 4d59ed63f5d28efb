//! cargo-pgrx in exactly the version of the pgrx crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::console::run_step;
use crate::project::Project;

/// The version that the extension's `Cargo.toml` pins.
pub const VERSION: &str = "0.18.1";

/// Finds it, or installs it: the ordinary way where there is none, privately where the user has another version.
pub fn ensure(project: &Project) -> Result<PathBuf> {
    let private = project.work.join("tools");
    let private_binary = private.join("bin/cargo-pgrx");
    for candidate in [PathBuf::from("cargo-pgrx"), private_binary.clone()] {
        if version(&candidate).as_deref() == Some(VERSION) {
            return Ok(candidate);
        }
    }
    let theirs = version(Path::new("cargo-pgrx"));
    let mut command = Command::new("cargo");
    // Its default features only serve downloads of Postgres, and want OpenSSL's headers and pkg-config.
    command.args([
        "install",
        "cargo-pgrx",
        "--locked",
        "--version",
        VERSION,
        "--no-default-features",
    ]);
    let installed = match theirs {
        None => PathBuf::from("cargo-pgrx"),
        Some(_) => {
            command.arg("--root").arg(&private);
            private_binary
        }
    };
    command.current_dir(&project.work);
    run_step(
        &format!("installing cargo-pgrx {VERSION} (once, some minutes)"),
        &mut command,
    )?;
    if version(&installed).is_some() {
        return Ok(installed);
    }
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .context("neither CARGO_HOME nor a home directory")?;
    Ok(home.join("bin/cargo-pgrx"))
}

fn version(binary: &Path) -> Option<String> {
    let output = Command::new(binary)
        .args(["pgrx", "--version"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().last().map(str::to_string)
}
