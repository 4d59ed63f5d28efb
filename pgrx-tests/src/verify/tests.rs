//! Tests by their names.

use std::path::PathBuf;

use anyhow::Result;

use super::files::{self, Kind};
use crate::context::Context;
use crate::project::Project;
use crate::suites::{self, Suite};

/// One test.
pub enum Test {
    /// A golden file or an isolation spec.
    File(Kind, PathBuf),
    /// A function of a suite.
    Suite(Suite),
}

impl Test {
    /// Runs it; with `accept`, what a file prints becomes what it has to print.
    pub fn run(&self, context: &Context, accept: bool) -> Result<()> {
        match self {
            Test::File(kind, file) => files::one(context, *kind, file, accept),
            Test::Suite(suite) => suite(context),
        }
    }
}

/// Every test of a major version under its name, except the test functions inside the extension: those need another
/// build.
pub fn tests(project: &Project, major: u32) -> Result<Vec<(String, Test)>> {
    let mut all = Vec::new();
    for kind in [Kind::Golden, Kind::Isolation] {
        for file in files::list(project, kind)? {
            all.push((files::name(kind, &file), Test::File(kind, file)));
        }
    }
    all.extend(suites::of(major).map(|(name, suite)| (name.to_string(), Test::Suite(suite))));
    Ok(all)
}
