//! `cargo verify`: runs lints and every test. `cargo test` runs only the tests of the home version.

mod lints;
mod setup;
mod tests;
mod trials;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use libtest_mimic::{Arguments, Conclusion};

use crate::context::BACKLOG;
use crate::project::{MAJOR, Project};
use crate::suites::{is_timed, pg_upgrade};
use crate::{bare, pg_tests};
use setup::Setup;
use trials::{Company, Ready, THREADS, Trials};

pub use tests::{Test, tests};

/// The arguments of the command line.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Run only tests with one of these texts in their name: format, clippy, pg_test/…, golden/…, isolation/…, or a
    /// suite
    #[arg(long, value_name = "TEXT,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Run this and `cargo demo` in a bare Debian tree, in a fresh clone of the committed files; requires root
    #[arg(long, conflicts_with_all = ["list", "accept"])]
    bare: bool,
    /// Print the names of the tests, and run none
    #[arg(long)]
    list: bool,
    /// Make the current output of golden files and isolation specs their expected output
    #[arg(long)]
    accept: bool,
    /// Major versions of Postgres to run on: 15, 17, 18. The names of tests on another version than 15 begin with it:
    /// pg17/…
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [MAJOR], value_parser = clap::value_parser!(u32).range(14..=18))]
    pg: Vec<u32>,
    /// Number of tasks in the backlog that one sweep must process in limited memory, while other calls run; prints
    /// times
    #[arg(long, value_name = "N", default_value_t = BACKLOG, value_parser = clap::value_parser!(usize))]
    backlog: usize,
    /// Install nothing: missing programs are listed, and the tests that need them fail
    #[arg(long, conflicts_with = "bare")]
    no_install: bool,
}

impl Options {
    /// Returns the arguments of the run inside a bare tree.
    fn inside(&self) -> Vec<String> {
        let majors: Vec<String> = self.pg.iter().map(u32::to_string).collect();
        let mut arguments = vec![format!("--pg={}", majors.join(","))];
        arguments.push(format!("--backlog={}", self.backlog));
        arguments.extend(self.only.iter().map(|only| format!("--only={only}")));
        arguments
    }
}

/// Runs lints and tests.
pub fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    if options.bare {
        return bare::run(project, &options.inside());
    }
    let project = &project.without_installing(options.no_install);
    let started = Instant::now();
    let mut majors = options.pg.clone();
    majors.sort_unstable();
    majors.dedup();
    if options.accept && majors != [MAJOR] {
        bail!("--accept is for version {MAJOR}; what another one prints goes into a file NAME_1.out");
    }
    let arguments = Arguments { list: options.list, test_threads: Some(THREADS), ..Arguments::default() };
    let mut trials = Trials::default();
    lints::add(&mut trials, project, majors[0]);
    add_tests(&mut trials, project, &majors, options.backlog, options.accept)?;
    trials.keep(&options.only);
    let conclusion = trials.run(&arguments);
    if !options.list {
        close(options, started, &conclusion);
    }
    let ran = options.list || conclusion.num_passed > 0;
    Ok(if ran && !conclusion.has_failed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests of the home version, with the arguments that every Rust test accepts.
pub fn test(project: &Project) -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let mut trials = Trials::default();
    add_tests(&mut trials, project, &[MAJOR], BACKLOG, false)?;
    Ok(trials.run(&arguments).exit_code())
}

/// Adds every test of each version, and an upgrade from each version to the next.
fn add_tests(trials: &mut Trials, project: &Project, majors: &[u32], backlog: usize, accept: bool) -> Result<()> {
    let setups = majors.iter().map(|major| Arc::new(Setup::new(project, *major, backlog)));
    let setups: Vec<Arc<Setup>> = setups.collect();
    for setup in &setups {
        let prefix = match setup.major {
            MAJOR => String::new(),
            other => format!("pg{other}/"),
        };
        for name in pg_tests::list(project)? {
            let (ready, setup) = (Arc::clone(setup), Arc::clone(setup));
            trials.add(
                format!("{prefix}pg_test/{name}"),
                Company::Others,
                move || ready.make_functions(),
                move || setup.functions()?.run(&name),
            );
        }
        for (name, test) in tests(project, setup.major)? {
            let (ready, setup) = (Arc::clone(setup), Arc::clone(setup));
            let company = if is_timed(&name) { Company::Alone } else { Company::Others };
            trials.add(
                format!("{prefix}{name}"),
                company,
                move || ready.make_copy(),
                move || setup.with_context(|context| test.run(context, accept)),
            );
        }
    }
    for pair in setups.windows(2) {
        let [old, new] = [0, 1].map(|at| Arc::clone(&pair[at]));
        let ready = [0, 1].map(|at| Arc::clone(&pair[at]));
        trials.add(
            pg_upgrade::name(old.major, new.major),
            Company::Others,
            move || {
                ready
                    .iter()
                    .map(|setup| setup.make_copy())
                    .find(|ready| !matches!(ready, Ok(Ready::Yes)))
                    .unwrap_or(Ok(Ready::Yes))
            },
            move || old.with_context(|old| new.with_context(|new| pg_upgrade::carries_everything(old, new))),
        );
    }
    Ok(())
}

/// Prints the totals, and a message if no test has a name that matches `--only`.
fn close(options: &Options, started: Instant, conclusion: &Conclusion) {
    if let ([_, ..], 0, 0) = (&options.only[..], conclusion.num_passed, conclusion.num_failed) {
        println!("\nNo test has {} in its name.", options.only.join(" or "));
    }
    println!("\n{:.0} s in all", started.elapsed().as_secs_f64());
    println!("{} passed, {} failed", conclusion.num_passed, conclusion.num_failed);
}
