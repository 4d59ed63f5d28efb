//! Refuses calls that would write wrong rows into the tables of a newer server.
//!
//! Each list contains the features that make one kind of work wrong. A feature leaves a list when the work is right
//! with it. Tables that `multica_install()` made are never refused, because no server writes their rows.

use super::features::Feature;
use super::features::Feature::*;
use crate::error::{Error, Result, Word};
use crate::postgres::entry;

/// The features that make one kind of work wrong.
pub type Wrong = [Feature];

/// Ends a task: the chat's pointer, the tokens of the task and the quota of its run end with it.
pub const ENDING: &Wrong = &[ChatRuntime, Token, Channel, Quota];
/// Queues a new task, with the columns that the server's claim reads.
pub const QUEUEING: &Wrong =
    &[Deferred, Originator, Accountable, Provenance, FailClosed, Coalesced, ChatInput, Channel, Unbound];
/// Chooses the agent of an issue or an autopilot: a squad's leader works for the squad.
pub const SQUADS: &Wrong = &[Squad, LeaderTask, TaskSquad];
/// Runs an issue anew with the session of its last task.
pub const RERUNNING: &Wrong = &[Fresh];
/// Starts a claimed task.
pub const STARTING: &Wrong = &[Waiting, Lease, Escalation];
/// Deletes archived agents with their tasks. Where agents can be without a runtime, the server keeps both.
pub const DELETING_AGENTS: &Wrong = &[Unbound];
/// Stores the session of a task, which a chat points to.
pub const PINNING: &Wrong = &[ChatRuntime];

/// Returns 0A000 if the tables are a server's and have one of these features. Another session may alter the tables
/// afterwards. Then this call still works as on the tables before, and the next call is refused.
pub fn require(works: &[&Wrong]) -> Result<()> {
    // Asked first, so that a call on such tables reads nothing else.
    if Own.is_present() {
        return Ok(());
    }
    let Some(feature) = Feature::first_of(works.iter().copied().flatten().copied()) else { return Ok(()) };
    Err(Error::Unsupported {
        word: Word::UnsupportedFeature,
        message: format!(
            "{} does not work yet with feature \"{}\" of this database",
            entry::function().unwrap_or("multica"),
            feature.name()
        ),
        detail: feature.description(),
        hint: "docs/compatibility.md lists which calls work; SELECT features FROM multica_status() lists the features of this database."
            .to_string(),
    })
}
