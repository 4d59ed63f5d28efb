//! The patches of `cargo mutations` apply, and the tests that they name exist. Whether a test fails with a patch is
//! known only after a build.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::Suite;
use crate::context::Context;
use crate::mutation_patch::Mutation;
use crate::project::MAJOR;
use crate::regress;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![every_patch_applies_and_names_a_test,];

fn every_patch_applies_and_names_a_test(context: &Context) -> Result<()> {
    let mut known: BTreeSet<String> = regress::all(&context.project)?.into_iter().map(|(name, ..)| name).collect();
    known.extend(super::of(MAJOR).map(|(name, _)| name.to_string()));
    let mut wrong = Vec::new();
    for mutation in Mutation::list(&context.project)? {
        if let Err(error) = mutation.check(&context.project.root) {
            wrong.push(format!("{error:#}"));
        }
        for test in mutation.tests.iter().filter(|test| !known.contains(*test)) {
            wrong.push(format!("{}: there is no test {test}", mutation.name));
        }
    }
    if !wrong.is_empty() {
        bail!("correct these patches in pgrx-tests/mutations, then cargo mutations --only NAME:\n{}", wrong.join("\n"));
    }
    Ok(())
}
