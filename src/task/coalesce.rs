//! What happens to a new task if another task of its issue and agent waits: an issue and agent have at most one pending
//! task, and no comment is lost.
//!
//! A comment joins a task that no daemon has claimed. A claimed task does not read its row again, so a comment that comes
//! later gets a task of its own. It is deferred, because the claimed task has the pending slot, and is queued as soon as
//! that task has started. A task that runs does not have the slot: the new task is queued behind it.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::new_task::{NewTask, Wishes};
use super::source::Source;
use crate::error::Result;
use crate::lifecycle::event::Call;
use crate::lifecycle::features::Feature;
use crate::lifecycle::placement::bring_home;
use crate::postgres::statement::{Statement, arg};

static PENDING: Statement = Statement::volatile(sql!("task/pending_of_pair.sql"));
static JOINABLE: Statement = Statement::volatile(sql!("task/joinable.sql")).by_id();
static JOIN: Statement = Statement::volatile(sql!("task/join_comment.sql")).by_id();

/// How often a call looks for the task that has the pending slot, and tries to insert its own. Each time, a session
/// that holds none of these locks, the server for example, may have taken the slot or left it.
const MAX_ROUNDS: usize = 3;

/// What became of a new task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is queued.
    Queued,
    /// It is deferred until `run_after`.
    Deferred,
    /// Another task already does what it is for.
    Pending,
    /// Its comment has joined a task that waits.
    Merged,
    /// It is deferred until the claimed task of its issue and agent has started.
    Planned,
}

impl Outcome {
    /// Returns the outcome as the caller reads it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Deferred => "deferred",
            Self::Pending => "pending",
            Self::Merged => "merged",
            Self::Planned => "planned",
        }
    }

    /// Whether there is a new row.
    pub fn is_created(self) -> bool {
        matches!(self, Self::Queued | Self::Deferred | Self::Planned)
    }
}

/// A task that takes the place of a new one.
struct Other {
    task: Uuid,
    is_claimed: bool,
    has_comment: bool,
    is_away: bool,
}

/// Inserts a task, or finds the one that takes its place and moves it to the runtime that the agent is bound to now. The
/// caller holds the locks. Returns the task and what became of the new one.
pub fn place(source: &Source, wishes: Wishes, call: &mut Call) -> Result<(Uuid, Outcome)> {
    let new = NewTask::new(source, wishes)?;
    let now = call.now();
    let run_after = new.wishes.run_after.filter(|after| *after > now || new.wishes.escalates.is_some());
    let joins = Feature::Coalesced.is_present() && Feature::Deferred.is_present();
    let looks = source.issue.is_some() && (run_after.is_some() || (joins && new.wishes.comment.is_some()));
    for _ in 0..MAX_ROUNDS {
        let mut fire_at = run_after;
        let mut outcome = if run_after.is_some() { Outcome::Deferred } else { Outcome::Queued };
        let other = if looks { joinable(&new, run_after, now) } else { None };
        if let Some(other) = other {
            if other.has_comment || new.wishes.comment.is_none() {
                return Ok((other.at_home(&new, call), Outcome::Pending));
            }
            if other.is_claimed {
                (fire_at, outcome) = (Some(now), Outcome::Planned);
            } else if joins {
                if join(&new, other.task) {
                    return Ok((other.at_home(&new, call), Outcome::Merged));
                }
                continue;
            }
        }
        if let Some(task) = new.insert(fire_at, call) {
            // If another session has removed the status meanwhile, the task is queued.
            let outcome = if task.is_deferred() { outcome } else { Outcome::Queued };
            return Ok((task.id(), outcome));
        }
        if !looks && let Some(other) = pending(&new) {
            return Ok((other.at_home(&new, call), Outcome::Pending));
        }
    }
    Err(NewTask::not_inserted(pending(&new).map(|other| other.task)))
}

impl Other {
    fn at_home(&self, new: &NewTask, call: &mut Call) -> Uuid {
        if self.is_away {
            bring_home(vec![self.task], vec![new.runtime], call);
        }
        self.task
    }
}

/// Returns the pending task of the same issue and agent.
fn pending(new: &NewTask) -> Option<Other> {
    let args = [arg(new.source.issue), arg(new.source.agent), arg(new.runtime)];
    PENDING.row(&args, |row| Other { task: row.must(1), is_claimed: false, has_comment: true, is_away: row.must(2) })
}

/// Returns the best of the tasks that could take the place of the new one.
fn joinable(new: &NewTask, run_after: Option<TimestampWithTimeZone>, now: TimestampWithTimeZone) -> Option<Other> {
    let wishes = &new.wishes;
    let args = [
        arg(new.source.issue),
        arg(new.source.agent),
        arg(wishes.comment),
        arg(run_after),
        arg(now),
        arg(new.runtime),
        arg(wishes.escalates),
    ];
    JOINABLE.row(&args, |row| Other {
        task: row.required("id"),
        is_claimed: row.required("is_claimed"),
        has_comment: row.required("has_comment"),
        is_away: row.required("is_away"),
    })
}

/// Lets the comment join a task. Returns false if the task no longer waits.
fn join(new: &NewTask, task: Uuid) -> bool {
    let wishes = &new.wishes;
    let args = [arg(task), arg(wishes.comment), arg(wishes.context), arg(new.source.squad), arg(new.source.is_leader)];
    let args: Vec<_> = args.into_iter().chain(wishes.provenance.args()).collect();
    JOIN.run(&args) > 0
}
