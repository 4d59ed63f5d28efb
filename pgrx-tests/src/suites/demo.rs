//! `cargo demo` with short thresholds, and on a system without a C compiler.

use std::process::Command;

use anyhow::{Result, ensure};

use super::Suite;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![demo_passes_its_checks, no_install_reports_missing_compiler];

fn demo_passes_its_checks(context: &Context) -> Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args(["demo", "--quick"])
        .env("MULTICA_WORK", &context.project.work)
        .output()?;
    ensure!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Without a C compiler and with --no-install, nothing is installed; the message names the missing program, its purpose
/// and its package.
fn no_install_reports_missing_compiler(context: &Context) -> Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args(["demo", "--no-install"])
        .env("MULTICA_WORK", &context.project.work)
        .env("PATH", context.fixtures())
        .output()?;
    let printed = String::from_utf8_lossy(&output.stderr);
    let line = "a C compiler: the library is linked with it (Debian and Ubuntu: package build-essential)";
    ensure!(!output.status.success() && printed.contains(line) && !printed.contains("apt-get"), "{printed}");
    Ok(())
}
