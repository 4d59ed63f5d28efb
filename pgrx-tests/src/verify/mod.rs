//! `cargo verify`: everything that has to hold, in one run.

mod files;
mod pg_tests;

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::cluster::remove_leftovers;
use crate::context::Context;
use crate::extension::{self, Variant};
use crate::postgres_copy::PostgresCopy;
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

/// Runs all steps. A step that fails stops only those that need it, and the closing line comes in any case.
pub fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    let mut report = Report::new(options.only.clone());
    let Some((copy, tested)) = prepare(project, options, &mut report)? else {
        return Ok(report.finish());
    };
    if let Some(tested) = tested
        && let Some(functions) = report.need("pg_test", || {
            pg_tests::TestFunctions::install(project, &tested)
        })
    {
        functions.run(&mut report);
    }
    let context = Context::new(project.clone(), copy);
    for kind in [files::Kind::Golden, files::Kind::Isolation] {
        let files = report
            .need(kind.name(), || files::list(&context, kind))
            .unwrap_or_default();
        files::run(&context, kind, &files, options.accept, &mut report);
    }
    for (name, suite) in suites::TOPICS.iter().copied().flatten() {
        report.case(name, || suite(&context));
    }
    drop(context);
    Ok(report.finish())
}

/// Tools, lints and builds: one run of a checkout at a time. Returns the copies with the extension and, where they are
/// asked for, with its test functions.
fn prepare(
    project: &Project,
    options: &Options,
    report: &mut Report,
) -> Result<Option<(PostgresCopy, Option<PostgresCopy>)>> {
    let _lock = project.lock()?;
    remove_leftovers(project)?;
    let Some(tools) = report.need("tools", || tools::ensure(project, MAJOR)) else {
        return Ok(None);
    };
    report.case("format", || format(project));
    report.case("clippy", || extension::lint(project, &tools));
    let Some(copy) = report.need("build", || {
        extension::install(project, &tools, Variant::Dev)
    }) else {
        return Ok(None);
    };
    // Their names are known only once they are built, so a part of the run has to ask for them as such.
    let asked = options
        .only
        .as_ref()
        .is_none_or(|only| only.contains("pg_test"));
    let build = || extension::install(project, &tools, Variant::PgTest);
    let tested = if asked {
        report.need("build with test functions", build)
    } else {
        None
    };
    Ok(Some((copy, tested)))
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
