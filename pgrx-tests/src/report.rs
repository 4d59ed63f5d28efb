//! Counts what passed and what failed, and says so at the very end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// What a test says. A panic is an error.
pub fn outcome(test: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        Err(anyhow::anyhow!("panicked: {text}"))
    })
}

/// The tally of one run.
pub struct Report {
    only: Option<String>,
    prefix: String,
    started: Instant,
    passed: usize,
    failed: Vec<(String, String)>,
}

impl Report {
    /// An empty tally; with `only`, tests whose name lacks that text are left out.
    pub fn new(only: Option<String>) -> Report {
        Report {
            only,
            prefix: String::new(),
            started: Instant::now(),
            passed: 0,
            failed: Vec::new(),
        }
    }

    /// What the names of the tests to come begin with.
    pub fn set_prefix(&mut self, prefix: String) {
        self.prefix = prefix;
    }

    /// Whether a test of this name is to run.
    pub fn wants(&self, name: &str) -> bool {
        let name = self.full(name);
        self.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    }

    /// Whether tests of a group are asked for whose names are not known yet.
    pub fn wants_some_of(&self, group: &str) -> bool {
        let group = self.full(group);
        self.only
            .as_ref()
            .is_none_or(|only| group.contains(only.as_str()) || only.contains(&group))
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Runs one test, unless it was left out. A panic fails it as an error does.
    pub fn case(&mut self, name: &str, test: impl FnOnce() -> Result<()>) {
        if !self.wants(name) {
            return;
        }
        let started = Instant::now();
        let outcome = outcome(test);
        self.record(name, started.elapsed(), outcome);
    }

    /// Carries out what the tests after it need; only its failure is counted, as one.
    pub fn need<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        let started = Instant::now();
        match step() {
            Ok(value) => Some(value),
            Err(error) => {
                self.record(name, started.elapsed(), Err(error));
                None
            }
        }
    }

    fn record(&mut self, name: &str, took: Duration, outcome: Result<()>) {
        let (name, took) = (self.full(name), took.as_secs_f64());
        match outcome {
            Ok(()) => {
                println!("ok    {name} ({took:.1} s)");
                self.passed += 1;
            }
            Err(error) => {
                // The alternate form shows all causes; the debug form would add a backtrace of the harness.
                println!("FAIL  {name} ({took:.1} s)\n{error:#}\n");
                self.failed.push((name, format!("{error:#}")));
            }
        }
    }

    /// Prints the failures once more and the closing line. Nothing run at all is a failure too.
    pub fn finish(self) -> ExitCode {
        if !self.failed.is_empty() {
            println!("\nFailed:");
            for (name, error) in &self.failed {
                println!("  {name}: {}", error.lines().next().unwrap_or_default());
            }
        }
        if let (Some(only), 0, true) = (&self.only, self.passed, self.failed.is_empty()) {
            println!("\nNo test has {only:?} in its name.");
        }
        println!("\n{:.0} s in all", self.started.elapsed().as_secs_f64());
        println!("{} passed, {} failed", self.passed, self.failed.len());
        if self.failed.is_empty() && self.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
