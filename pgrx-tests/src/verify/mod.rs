//! `cargo verify`: everything that has to hold, in one run.

mod files;
mod named;
mod pg_tests;

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::cluster::remove_leftovers;
use crate::context::{BACKLOG, Context};
use crate::extension::{self, Variant};
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;
use crate::report::Report;
use crate::{suites, tools};

pub use named::{Test, tests};

/// What the command line asks of a run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Run only tests with this text in their name: format, clippy, pg_test/…, golden/…, isolation/…, or a suite
    #[arg(long)]
    only: Option<String>,
    /// Take what golden files and isolation specs print now as what they are to print from now on
    #[arg(long)]
    accept: bool,
    /// Major versions of Postgres to run on: 15, 17, 18. Tests of another one than 15 are named pg17/…, and so on
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [MAJOR], value_parser = clap::value_parser!(u32).range(14..=18))]
    pg: Vec<u32>,
    /// Tasks of the backlog that one sweep has to work off in bounded memory and beside live work; prints how it went
    #[arg(long, value_name = "N", default_value_t = BACKLOG, value_parser = clap::value_parser!(usize))]
    backlog: usize,
}

/// The home version: demo and benches use it, and every test runs on it.
pub const MAJOR: u32 = 15;

/// Runs all steps. A step that fails stops only those that need it, and the closing line comes in any case.
pub fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    let mut majors = options.pg.clone();
    majors.sort_unstable();
    majors.dedup();
    if options.accept && majors != [MAJOR] {
        bail!(
            "--accept is for version {MAJOR}; what another one prints goes into a file NAME_1.out"
        );
    }
    let mut report = Report::new(options.only.clone());
    let mut copies = Vec::new();
    for (at, major) in majors.iter().copied().enumerate() {
        report.set_prefix(match major {
            MAJOR => String::new(),
            other => format!("pg{other}/"),
        });
        let Some((copy, tested)) = prepare(project, major, at == 0, &mut report)? else {
            continue;
        };
        test(project, options, &copy, tested, &mut report);
        copies.push(copy);
    }
    report.set_prefix(String::new());
    suites::pg_upgrade::run(project, &copies, &mut report);
    Ok(report.finish())
}

/// Everything that is to hold on one version.
fn test(
    project: &Project,
    options: &Options,
    copy: &PostgresCopy,
    tested: Option<PostgresCopy>,
    report: &mut Report,
) {
    if let Some(tested) = tested
        && let Some(functions) = report.need("pg_test", || {
            pg_tests::TestFunctions::install(project, &tested)
        })
    {
        functions.run(report);
    }
    let mut context = Context::new(project.clone(), copy.clone());
    context.backlog = options.backlog;
    for kind in [files::Kind::Golden, files::Kind::Isolation] {
        let files = report
            .need(kind.name(), || files::list(project, kind))
            .unwrap_or_default();
        files::run(&context, kind, &files, options.accept, report);
    }
    for (name, suite) in suites::of(copy.major) {
        report.case(name, || suite(&context));
    }
}

/// Tools, lints and builds: one run of a checkout at a time. Returns the copies with the extension and, where they are
/// asked for, with its test functions. Lints are the same on every version, so the first one of a run has them.
fn prepare(
    project: &Project,
    major: u32,
    lint: bool,
    report: &mut Report,
) -> Result<Option<(PostgresCopy, Option<PostgresCopy>)>> {
    let _lock = project.lock()?;
    remove_leftovers(project)?;
    let Some(tools) = report.need("tools", || tools::ensure(project, major)) else {
        return Ok(None);
    };
    if lint {
        report.case("format", || format(project));
        report.case("clippy", || extension::lint(project, &tools));
    }
    let Some(copy) = report.need("build", || {
        extension::install(project, &tools, Variant::Dev)
    }) else {
        return Ok(None);
    };
    // Their names are known only once they are built, so a part of the run has to ask for them as such.
    let build = || extension::install(project, &tools, Variant::PgTest);
    let tested = if report.wants_some_of("pg_test/") {
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
