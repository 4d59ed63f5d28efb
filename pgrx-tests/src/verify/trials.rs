//! Tests as trials of libtest-mimic, and their durations.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Conclusion, Trial};

/// How many of the slowest tests are listed at the end.
const SLOWEST: usize = 10;

/// Whether the setup that a test needs was made.
pub enum Ready {
    /// It was made.
    Yes,
    /// It could not be made, and an earlier test has reported that error.
    Failed,
}

/// How many tests run at the same time. A test mostly waits for one backend, so two tests use two cores.
pub const THREADS: usize = 2;

/// Whether other tests may run at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// They may.
    Others,
    /// They may not, because the test measures time.
    Alone,
}

/// The tests of a run.
#[derive(Default)]
pub struct Trials {
    all: Vec<Trial>,
    /// A test that runs alone holds it exclusively.
    running: Arc<RwLock<()>>,
    durations: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl Trials {
    /// Adds a test. `ready` makes the shared setup, which is not counted as time of the test.
    pub fn add(
        &mut self,
        name: String,
        company: Company,
        ready: impl FnOnce() -> Result<Ready> + Send + 'static,
        test: impl FnOnce() -> Result<()> + Send + 'static,
    ) {
        let (durations, running, timed) = (Arc::clone(&self.durations), Arc::clone(&self.running), name.clone());
        let timed_test = move || {
            if let Ready::Failed = ready()? {
                return Ok(Completion::ignored_with("what it needs has failed"));
            }
            let (_alone, _with_others) = match company {
                Company::Alone => (Some(running.write().unwrap_or_else(PoisonError::into_inner)), None),
                Company::Others => (None, Some(running.read().unwrap_or_else(PoisonError::into_inner))),
            };
            let started = Instant::now();
            let result = test();
            if let Ok(mut durations) = durations.lock() {
                durations.push((started.elapsed(), timed));
            }
            result.map(|()| Completion::Completed)
        };
        // The alternate form of an error prints all causes; the debug form would add a backtrace of the harness.
        let outcome = move || timed_test().map_err(|error: anyhow::Error| format!("{error:#}").into());
        self.all.push(Trial::ignorable_test(name, outcome));
    }

    /// Keeps the tests with one of these texts in their names; all, if there is no text.
    pub fn keep(&mut self, texts: &[String]) {
        self.all.retain(|trial| texts.is_empty() || texts.iter().any(|text| trial.name().contains(text)));
    }

    /// Runs the tests that the arguments select, and prints the slowest.
    pub fn run(self, arguments: &Arguments) -> Conclusion {
        let conclusion = libtest_mimic::run(arguments, self.all);
        if let Ok(mut durations) = self.durations.lock() {
            durations.sort();
            if !durations.is_empty() {
                println!("The slowest:");
            }
            for (took, name) in durations.iter().rev().take(SLOWEST) {
                println!("{:>7.1} s  {name}", took.as_secs_f64());
            }
        }
        conclusion
    }
}
