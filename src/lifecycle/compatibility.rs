//! Refuses calls that would write wrong rows into the tables of a newer server, and calls about what the tables lack.
//!
//! Each list contains the features that make one kind of work wrong. A feature leaves a list when the work is right
//! with it. Tables that `multica_install()` made are never refused, because no server writes their rows.

use super::features::Feature;
use super::features::Feature::*;
use crate::error::{Error, Result, Word};
use crate::postgres::entry;

/// The features that make one kind of work wrong.
pub type Wrong = [Feature];

/// Deletes archived agents with their tasks. Where agents can be without a runtime, the server keeps both.
pub const DELETING_AGENTS: &Wrong = &[Unbound];

/// Returns 0A000 if the tables are a server's and have one of these features. Another session may alter the tables
/// afterwards. Then this call still works as on the tables before, and the next call is refused.
pub fn require(works: &[&Wrong]) -> Result<()> {
    // Asked first, so that a call on such tables reads nothing else.
    if Own.is_present() {
        return Ok(());
    }
    match Feature::first_of(works.iter().copied().flatten().copied()) {
        Some(feature) => Err(unsupported(feature, "yet with feature \"{}\" of this database")),
        None => Ok(()),
    }
}

/// Returns 0A000 if the tables lack a feature without which the call means nothing.
pub fn require_feature(feature: Feature) -> Result<()> {
    if feature.is_present() { Ok(()) } else { Err(unsupported(feature, "in this database without feature \"{}\"")) }
}

/// `why` ends the sentence; the name of the feature takes the place of the braces in it.
fn unsupported(feature: Feature, why: &str) -> Error {
    Error::Unsupported {
        word: Word::UnsupportedFeature,
        message: format!(
            "{} does not work {}",
            entry::function().unwrap_or("multica"),
            why.replace("{}", feature.name())
        ),
        detail: feature.description(),
        hint: "docs/compatibility.md lists which calls work; SELECT features FROM multica_status() lists the features of this database."
            .to_string(),
    }
}

/// Returns 0A000 if the tables lack the feature on which an argument depends. Another session may alter the tables
/// afterwards; then the call works as on the tables before.
pub fn needs(argument: &str, feature: Feature) -> Result<()> {
    if feature.is_present() {
        return Ok(());
    }
    Err(Error::Unsupported {
        word: Word::MissingFeature,
        message: format!(
            "argument \"{argument}\" needs feature \"{}\", which this database does not have",
            feature.name()
        ),
        detail: format!("With the feature: {}", feature.description()),
        hint: "Leave the argument out. SELECT features FROM multica_status() lists the features of this database."
            .to_string(),
    })
}
