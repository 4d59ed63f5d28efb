//! `cargo verify`: everything that has to hold, in one run.

mod files;
mod pg_tests;

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::cluster::remove_leftovers;
use crate::context::Context;
use crate::extension::{self, Variant};
use crate::project::Project;
use crate::report::Report;
use crate::{suites, tools};

/// What the command line asks of a run.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Run only tests with this text in their name: format, clippy, pg_test/…, golden/…, isolation/…, or a suite
    #[arg(long)]
    only: Option<String>,
    /// Take what golden files and isolation specs print now as what they are to print from now on
    #[arg(long)]
    accept: bool,
}

/// The major version that tests run on.
pub const MAJOR: u32 = 15;

/// Runs all steps; a step that fails stops none of the others.
pub fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    let mut report = Report::new(options.only.clone());
    let (copy, tested) = {
        let _lock = project.lock()?;
        remove_leftovers(project)?;
        let tools = tools::ensure(project, MAJOR)?;
        report.case("format", || format(project));
        report.case("clippy", || extension::lint(project, &tools));
        let copy = extension::install(project, &tools, Variant::Dev)?;
        // Their names are known only once they are built, so a part of the run has to ask for them as such.
        let asked = options
            .only
            .as_ref()
            .is_none_or(|only| only.contains("pg_test"));
        let tested = asked
            .then(|| extension::install(project, &tools, Variant::PgTest))
            .transpose()?;
        (copy, tested)
    };
    if let Some(tested) = tested {
        pg_tests::run(project, &tested, &mut report)?;
    }
    let context = Context::new(project.clone(), copy);
    for kind in [files::Kind::Golden, files::Kind::Isolation] {
        files::run(&context, kind, options.accept, &mut report)?;
    }
    for (name, suite) in suites::TOPICS.iter().copied().flatten() {
        report.case(name, || suite(&context));
    }
    drop(context);
    Ok(report.finish())
}

fn format(project: &Project) -> Result<()> {
    let output = Command::new("cargo")
        .args(["fmt", "--all", "--", "--check"])
        .current_dir(&project.root)
        .output()?;
    if !output.status.success() {
        bail!(
            "run cargo fmt:\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    Ok(())
}
