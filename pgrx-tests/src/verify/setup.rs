//! What the tests of a version share. It is built by the first test that needs it, and removed after the last one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context as _, Result};

use super::trials::Ready;
use crate::cluster::remove_leftovers;
use crate::context::Context;
use crate::extension::{self, Variant};
use crate::pg_tests::TestFunctions;
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;
use crate::tools;

/// A version of Postgres with the extension.
pub struct Setup {
    /// The version.
    pub major: u32,
    project: Project,
    backlog: usize,
    copy: Once<PostgresCopy>,
    contexts: AtomicUsize,
    idle: Mutex<Vec<Context>>,
    functions: Once<TestFunctions>,
}

impl Setup {
    /// Returns a setup that has not built anything yet.
    pub fn new(project: &Project, major: u32, backlog: usize) -> Setup {
        let (copy, contexts, idle, functions) = Default::default();
        Setup { major, project: project.clone(), backlog, copy, contexts, idle, functions }
    }

    /// Builds the extension as it is shipped, without the test functions.
    pub fn make_copy(&self) -> Result<Ready> {
        self.copy.make(|| self.install(Variant::Dev))
    }

    /// Builds the extension with its test functions, and starts a cluster for them.
    pub fn make_functions(&self) -> Result<Ready> {
        self.functions.make(|| TestFunctions::install(&self.project, &self.install(Variant::PgTest)?))
    }

    /// Runs a test with a context that no other test uses at the same time, so that the roles, settings and activity of
    /// its cluster and the files of its copy are the test's own. The context of a test that panics is not used again.
    pub fn with_context(&self, test: impl FnOnce(&Context) -> Result<()>) -> Result<()> {
        let idle = self.idle().pop();
        let context = idle.map_or_else(|| self.new_context(), Ok)?;
        let result = test(&context);
        self.idle().push(context);
        result
    }

    fn new_context(&self) -> Result<Context> {
        let first = self.copy.get()?;
        let copy = match self.contexts.fetch_add(1, Ordering::Relaxed) {
            0 => first.clone(),
            number => first.duplicate(number + 1)?,
        };
        let mut context = Context::new(self.project.clone(), copy);
        context.backlog = self.backlog;
        Ok(context)
    }

    /// Returns the cluster with the test functions.
    pub fn functions(&self) -> Result<&TestFunctions> {
        self.functions.get()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Context>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares tools and a build, while no other run of this checkout does the same.
    fn install(&self, variant: Variant) -> Result<PostgresCopy> {
        let _lock = self.project.lock()?;
        remove_leftovers(&self.project)?;
        let tools = tools::ensure(&self.project, self.major)?;
        extension::install(&self.project, &tools, variant)
    }
}

/// A value that is made once. If that fails, it is not tried again.
struct Once<T> {
    making: Mutex<()>,
    value: OnceLock<Option<T>>,
}

impl<T> Default for Once<T> {
    fn default() -> Once<T> {
        Once { making: Mutex::new(()), value: OnceLock::new() }
    }
}

impl<T> Once<T> {
    /// Makes the value. The first failure is returned as an error; later calls return `Failed`.
    fn make(&self, make: impl FnOnce() -> Result<T>) -> Result<Ready> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failure = None;
        let value = self.value.get_or_init(|| make().map_err(|error| failure = Some(error)).ok());
        match (value, failure) {
            (Some(_), _) => Ok(Ready::Yes),
            (None, None) => Ok(Ready::Failed),
            (None, Some(error)) => Err(error),
        }
    }

    fn get(&self) -> Result<&T> {
        self.value.get().and_then(Option::as_ref).context("what this test needs has not been set up")
    }
}
