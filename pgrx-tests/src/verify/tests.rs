//! Tests by their names.

use std::path::PathBuf;

use anyhow::Result;

use crate::context::Context;
use crate::project::Project;
use crate::regress::{self, Kind};
use crate::suites::{self, Suite};

/// One test.
pub enum Test {
    /// A golden file or an isolation spec.
    File(Kind, PathBuf),
    /// A function of a suite.
    Suite(Suite),
}

impl Test {
    /// Runs the test. With `accept`, the output of a file becomes its expected output.
    pub fn run(&self, context: &Context, accept: bool) -> Result<()> {
        match self {
            Test::File(kind, file) => regress::one(context, *kind, file, accept),
            Test::Suite(suite) => suite(context),
        }
    }
}

/// Returns every test of a major version with its name, except the `#[pg_test]` functions, which need another build.
/// Tests that must run alone are the last, so that the others need not wait for them.
pub fn tests(project: &Project, major: u32) -> Result<Vec<(String, Test)>> {
    let files = regress::all(project)?.into_iter().map(|(name, kind, file)| (name, Test::File(kind, file)));
    let suites = suites::of(major).map(|(name, suite)| (name.to_string(), Test::Suite(suite)));
    let mut all: Vec<_> = files.chain(suites).collect();
    all.sort_by_key(|(name, _)| suites::is_timed(name));
    Ok(all)
}
