//! Tests by their names, for who runs some of them in another way than `cargo verify` does.

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
    /// Runs it.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Test::File(kind, file) => files::one(context, *kind, file, false),
            Test::Suite(suite) => suite(context),
        }
    }
}

/// Every test of a major version under its name. The test functions inside the extension are missing: their names are
/// known only once they are built.
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
