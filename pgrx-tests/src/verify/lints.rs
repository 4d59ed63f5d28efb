//! Checks of the sources, whose result is the same on every version of Postgres.

use std::process::Command;

use anyhow::{Result, bail};

use super::trials::{Company, Ready, Trials};
use crate::project::Project;
use crate::{extension, tools};

/// Versions that the library supports and that no test runs on. The library is type-checked for them.
const UNTESTED: [u32; 2] = [14, 16];

/// Adds the checks. They need the tools of one version only.
pub fn add(trials: &mut Trials, project: &Project, major: u32) {
    let [ready, at] = [project.clone(), project.clone()];
    trials.add("format".into(), Company::Others, || Ok(Ready::Yes), move || format(&at));
    for major in UNTESTED {
        let at = project.clone();
        let check = move || extension::check_bindings(&at, major);
        trials.add(format!("bindings/pg{major}"), Company::Others, || Ok(Ready::Yes), check);
    }
    let at = project.clone();
    trials.add(
        "clippy".into(),
        Company::Others,
        move || {
            let _lock = ready.lock()?;
            tools::ensure(&ready, major).map(|_| Ready::Yes)
        },
        move || {
            let _lock = at.lock()?;
            extension::lint(&at, &tools::ensure(&at, major)?)
        },
    );
}

fn format(project: &Project) -> Result<()> {
    let output = Command::new("cargo").args(["fmt", "--all", "--", "--check"]).current_dir(&project.root).output()?;
    if !output.status.success() {
        bail!("run cargo fmt:\n{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}
