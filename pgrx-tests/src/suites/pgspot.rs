//! pgspot finds what lets a user with the right to create objects attack an extension through its scripts: unqualified
//! names and operators, and search paths that are not fixed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::Suite;
use crate::context::Context;
use crate::release;
use crate::tools::extras;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![scripts_have_only_allowed_findings, pgspot_reports_unsafe_script,];

/// The install script and the update scripts, as they are packaged: each finding of pgspot is in the list of allowed
/// ones, with its reason.
fn scripts_have_only_allowed_findings(context: &Context) -> Result<()> {
    let mut scripts: Vec<PathBuf> = fs::read_dir(context.copy.extensions())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    scripts.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("multica--") && name.ends_with(".sql")
    });
    // Another suite may have written released scripts into this folder: newer scripts have replaced what those create.
    let released = release::all(&context.project)?;
    scripts.retain(|file| !released.iter().any(|it| it.script().file_name() == file.file_name()));
    ensure!(!scripts.is_empty(), "no script is installed");
    let mut found = BTreeSet::new();
    for script in &scripts {
        found.extend(findings(context, script)?);
    }
    let allowed = fs::read_to_string(folder(context).join("allowed.txt"))?;
    let allowed: BTreeSet<String> = allowed.lines().filter(|line| line.starts_with("PS")).map(str::to_string).collect();
    let new: Vec<&String> = found.difference(&allowed).collect();
    let obsolete: Vec<&String> = allowed.difference(&found).collect();
    ensure!(
        new.is_empty() && obsolete.is_empty(),
        "{scripts:#?}\nhave the new findings {new:#?}\nand no longer {obsolete:#?}"
    );
    Ok(())
}

/// The test above would also pass with a pgspot that reads nothing; this one would not.
fn pgspot_reports_unsafe_script(context: &Context) -> Result<()> {
    let script = context.project.work.join("output").join("careless.sql");
    fs::create_dir_all(script.parent().unwrap_or(Path::new(".")))?;
    fs::write(
        &script,
        "CREATE FUNCTION careless() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM agent WHERE id = id';
         CREATE OR REPLACE FUNCTION @extschema@.f() RETURNS int LANGUAGE c AS 'MODULE_PATHNAME';",
    )?;
    let found = findings(context, &script)?;
    for code in ["PS001", "PS005", "PS016", "PS017"] {
        ensure!(found.iter().any(|line| line.starts_with(code)), "{code} is not among {found:#?}");
    }
    Ok(())
}

/// The findings of pgspot in a script, without line numbers.
fn findings(context: &Context, script: &Path) -> Result<BTreeSet<String>> {
    let requirements = folder(context).join("requirements.txt");
    let python = extras::python(&context.project, "pgspot", &requirements)?;
    let program = python.with_file_name("pgspot");
    let output =
        Command::new(&program).arg(script).output().with_context(|| format!("cannot run {}", program.display()))?;
    let report = String::from_utf8_lossy(&output.stdout);
    // Without the last line, pgspot did not read or understand the whole script.
    if !report.contains("Errors:") || !report.contains("Unknown: 0") {
        bail!("pgspot could not read {}:\n{report}{}", script.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(report
        .lines()
        .filter(|line| line.starts_with("PS"))
        .map(|line| line.split(" at line ").next().unwrap_or(line).to_string())
        .collect())
}

fn folder(context: &Context) -> PathBuf {
    context.project.harness().join("pgspot")
}
