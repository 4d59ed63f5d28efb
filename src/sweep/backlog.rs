//! The backlog of a stage. Each sweep of a session begins at the position where the last one ended.
//!
//! Rows that a sweep has handled leave dead entries in the index until vacuum removes them, and rows that are not due
//! stay there. If every batch read all of these entries again, the cost would be quadratic. Therefore a session
//! remembers the position that it has reached, once that is committed. It begins at the start again when it finds less
//! than a batch.

use std::cell::Cell;
use std::thread::LocalKey;

use pgrx::prelude::*;
use pgrx::{PgXactCallbackEvent, Uuid, register_xact_callback};

use crate::lifecycle::lock_set;
use crate::postgres::statement::{Arg, Statement};

type Time = Option<TimestampWithTimeZone>;

/// How far a search went, for each of the two kinds of tasks that it may find; None is the start.
#[derive(Clone, Copy, Default)]
pub struct Cursor(pub Time, pub Time);

impl Cursor {
    fn is_start(self) -> bool {
        self.0.is_none() && self.1.is_none()
    }
}

/// The position that the sweeps of this session have reached, and the position that the current sweep will reach.
struct Reached {
    committed: Cell<Cursor>,
    /// The last value counts, because a sweep that is rolled back to its beginning searches once more.
    at_commit: Cell<Option<Cursor>>,
}

impl Reached {
    const fn nowhere() -> Self {
        Self { committed: Cell::new(Cursor(None, None)), at_commit: Cell::new(None) }
    }
}

thread_local! {
    static OFFLINE: Reached = const { Reached::nowhere() };
    static TIMED_OUT: Reached = const { Reached::nowhere() };
}

/// Tasks of offline runtimes.
pub static OF_OFFLINE: Backlog = Backlog { reached: &OFFLINE };
/// Tasks that timed out.
pub static OF_TIMED_OUT: Backlog = Backlog { reached: &TIMED_OUT };

/// A stage's backlog.
pub struct Backlog {
    reached: &'static LocalKey<Reached>,
}

/// Tasks that may be failed. The tasks, and every row that a verdict on them writes or refers to, were locked without
/// waiting.
#[derive(Default)]
pub struct Taken {
    /// The tasks.
    pub tasks: Vec<Uuid>,
    /// Whether there may be more.
    pub more: bool,
}

/// Returns the arguments of a statement that finds candidates, for the tasks to exclude, the limit, and the position to
/// begin at.
pub trait Arguments: Fn(Vec<Uuid>, Option<i64>, Cursor) -> Vec<Arg> {}
impl<F: Fn(Vec<Uuid>, Option<i64>, Cursor) -> Vec<Arg>> Arguments for F {}

struct Found {
    found: Vec<Uuid>,
    through: Cursor,
}

/// Returns the next candidates, which the statement has locked.
fn look(candidates: &Statement, args: &[Arg]) -> Found {
    let mut through = Cursor::default();
    let found = candidates.rows(args, |row| {
        through = Cursor(row.column("dispatched_through").or(through.0), row.column("running_through").or(through.1));
        row.required("id")
    });
    Found { found, through }
}

impl Backlog {
    /// Whether this session has worked off a part of the backlog.
    pub fn has_begun(&self) -> bool {
        !self.reached.with(|reached| reached.committed.get().is_start())
    }

    /// Whether the stage searches now. Both stages read the index of all tasks in flight. While this session works off
    /// one backlog, the other stage would read all of it again for every batch.
    pub fn is_in_turn(&self, other: &Self) -> bool {
        self.has_begun() || !other.has_begun()
    }

    /// Returns at most `limit` tasks, without those in `exclude`. At most `limit` candidates are locked. A candidate of
    /// which another session holds a row is left for a later sweep, and the next sweep begins after it.
    pub fn next(&self, candidates: &Statement, exclude: &[Uuid], limit: i64, args: impl Arguments) -> Taken {
        let from = self.reached.with(|reached| reached.committed.get());
        let first = look(candidates, &args(exclude.to_vec(), Some(limit), from));
        let full = first.found.len() as i64 >= limit;
        let mut tasks = lock_set::try_tasks(&first.found);
        if full || from.is_start() {
            self.reach(if full { first.through } else { Cursor::default() });
            return Taken { tasks, more: full };
        }
        // The end is reached. The rest of the batch is searched from the start: tasks that were skipped before, or that
        // were added before the position.
        let room = limit - first.found.len() as i64;
        let seen = [exclude, &first.found].concat();
        let again = look(candidates, &args(seen, Some(room), Cursor::default()));
        let passed_over = lock_set::try_tasks(&again.found);
        let more = again.found.len() as i64 >= room && !passed_over.is_empty();
        self.reach(if more { again.through } else { Cursor::default() });
        tasks.extend(passed_over);
        Taken { tasks, more }
    }

    /// Sets the position that the session has reached, once the transaction commits. What an abort rolls back must be
    /// done again.
    fn reach(&self, place: Cursor) {
        let reached = self.reached;
        let changes = |reached: &Reached| {
            let changes = !place.is_start() || !reached.committed.get().is_start();
            reached.at_commit.set(changes.then_some(place));
            changes
        };
        if reached.with(changes) {
            register_xact_callback(PgXactCallbackEvent::Commit, move || {
                reached.with(|reached| {
                    if let Some(place) = reached.at_commit.take() {
                        reached.committed.set(place);
                    }
                });
            });
        }
    }
}

/// As [`Backlog::next`], but always from the start, for a call outside a sweep. The statement runs again while rows
/// that other sessions hold leave room below `limit`, so that the number of candidates that are locked has no bound.
pub fn take(candidates: &Statement, exclude: &[Uuid], limit: Option<i64>, args: impl Arguments) -> Vec<Uuid> {
    let mut taken: Vec<Uuid> = Vec::new();
    let mut seen = exclude.to_vec();
    loop {
        let room = limit.map(|limit| limit - taken.len() as i64);
        let found = look(candidates, &args(seen.clone(), room, Cursor::default())).found;
        if found.is_empty() {
            return taken;
        }
        let free = lock_set::try_tasks(&found);
        let all_free = free.len() == found.len();
        seen.extend(found);
        taken.extend(free);
        if all_free || limit.is_none() {
            return taken;
        }
    }
}
