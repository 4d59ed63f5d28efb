//! `cargo mutations`: breaks one guard after the other in a copy of the checkout, and shows which test fails.

mod checkout;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cluster::remove_leftovers;
use crate::context::Context;
use crate::extension::{self, Variant};
use crate::mutation_patch::Mutation;
use crate::project::{MAJOR, Project};
use crate::tools::{self, Tools};
use crate::verify::{Test, tests};

/// The arguments of the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only patches with this text in their name, in the path of a file they change, or in the name of a test
    #[arg(long)]
    only: Option<String>,
}

/// The result of one mutation.
enum Verdict {
    /// Every named test failed.
    Caught,
    /// These tests passed.
    Survived(Vec<String>),
    /// No test could be run, because the patch does not apply, does not build, or cannot be installed.
    Unusable(String),
}

/// Applies, builds and tests each patch, and prints a table. Fails unless all patches are caught.
pub fn run(project: &Project, arguments: &Arguments) -> Result<ExitCode> {
    let mutations = wanted(project, arguments.only.as_deref())?;
    if mutations.is_empty() {
        bail!("no patch fits --only");
    }
    let tools = {
        let _lock = project.lock()?;
        tools::ensure(project, MAJOR)?
    };
    let bench = Bench { project, copy: checkout::project(project)?, tools };
    let _lock = bench.copy.lock()?;
    remove_leftovers(&bench.copy)?;
    bench.unbroken(&mutations)?;
    let started = Instant::now();
    let mut rows = Vec::new();
    for (at, mutation) in mutations.iter().enumerate() {
        println!("{}/{} {}", at + 1, mutations.len(), mutation.name);
        let began = Instant::now();
        let verdict = bench.judge(mutation).unwrap_or_else(|error| Verdict::Unusable(format!("{error:#}")));
        let row = Row::new(mutation, &verdict, began.elapsed().as_secs_f64());
        println!("  {}", row.verdict);
        if let Verdict::Unusable(why) = &verdict {
            println!("{why}\n");
        }
        rows.push(row);
    }
    checkout::restore(project, &bench.copy)?;
    print(&rows);
    let caught = rows.iter().filter(|row| row.is_caught).count();
    println!("\n{:.0} s in all", started.elapsed().as_secs_f64());
    println!("{caught} caught, {} not", rows.len() - caught);
    Ok(if caught == rows.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn wanted(project: &Project, only: Option<&str>) -> Result<Vec<Mutation>> {
    let mut mutations = Mutation::list(project)?;
    if let Some(only) = only {
        mutations.retain(|mutation| {
            mutation.name.contains(only)
                || mutation.changes.iter().any(|file| file.contains(only))
                || mutation.tests.iter().any(|test| test.contains(only))
        });
    }
    Ok(mutations)
}

/// The copy in which mutations are tested.
struct Bench<'a> {
    project: &'a Project,
    copy: Project,
    tools: Tools,
}

impl Bench<'_> {
    /// Runs all named tests on the unchanged copy, where they must pass: a test that fails anyway proves nothing.
    fn unbroken(&self, mutations: &[Mutation]) -> Result<()> {
        checkout::restore(self.project, &self.copy)?;
        let mut names: Vec<&str> =
            mutations.iter().flat_map(|mutation| mutation.tests.iter().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        println!("{} tests on the code as it is", names.len());
        let context = self.build()?;
        for name in names {
            let test = self.find(name)?;
            let began = Instant::now();
            if let Err(error) = outcome(|| test.run(&context, false)) {
                bail!("{name} fails without any mutation:\n{error:#}");
            }
            println!("  {name} ({:.1} s)", began.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn judge(&self, mutation: &Mutation) -> Result<Verdict> {
        checkout::restore(self.project, &self.copy)?;
        mutation.apply(&self.copy.root)?;
        let context = self.build()?;
        let mut passed = Vec::new();
        for name in &mutation.tests {
            let test = self.find(name)?;
            match outcome(|| test.run(&context, false)) {
                Ok(()) => passed.push(name.clone()),
                Err(error) => {
                    let said = format!("{error:#}");
                    println!("  {name}: {}", telling(&said));
                }
            }
        }
        Ok(if passed.is_empty() { Verdict::Caught } else { Verdict::Survived(passed) })
    }

    /// Builds the copy in its current state, and starts a server with the extension.
    fn build(&self) -> Result<Context> {
        let copy = extension::install(&self.copy, &self.tools, Variant::Dev)?;
        let context = Context::new(self.copy.clone(), copy);
        context.shared()?;
        Ok(context)
    }

    fn find(&self, name: &str) -> Result<Test> {
        let mut all = tests(&self.copy, MAJOR)?;
        all.retain(|(found, _)| found == name);
        match all.pop() {
            Some((_, test)) => Ok(test),
            None => bail!("there is no test {name}"),
        }
    }
}

/// Runs a test and returns its result. A panic is an error.
fn outcome(test: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
        Err(anyhow::anyhow!("panicked: {text}"))
    })
}

/// Returns the most informative line of a failure: the first line that differs, or else the first line with text.
fn telling(said: &str) -> &str {
    let differs = |line: &&str| {
        let sign = line.starts_with('+') || line.starts_with('-');
        sign && !line.starts_with("+++") && !line.starts_with("---")
    };
    said.lines().find(differs).or_else(|| said.lines().find(|line| !line.trim().is_empty())).unwrap_or_default()
}

/// A line of the table.
struct Row {
    name: String,
    verdict: String,
    seconds: f64,
    is_caught: bool,
}

impl Row {
    fn new(mutation: &Mutation, verdict: &Verdict, seconds: f64) -> Row {
        Row {
            name: mutation.name.clone(),
            verdict: match verdict {
                Verdict::Caught => format!("caught by {}", mutation.tests.join(", ")),
                Verdict::Survived(tests) => format!("SURVIVED {}", tests.join(", ")),
                Verdict::Unusable(why) => {
                    format!("UNUSABLE: {}", why.lines().next().unwrap_or_default())
                }
            },
            seconds,
            is_caught: matches!(verdict, Verdict::Caught),
        }
    }
}

fn print(rows: &[Row]) {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    println!();
    for row in rows {
        println!("{:<width$}  {:>4.0} s  {}", row.name, row.seconds, row.verdict);
    }
}
