//! The backlog that sweeps work off, each from where the last one of the session ended.
//!
//! What was worked off leaves dead entries in its index until vacuum takes them, and what is healthy stays there;
//! walking past all that again for every batch would be quadratic. A session remembers how far it came, once that is
//! committed, and begins from the start again where it finds less than a batch.

use std::cell::Cell;
use std::thread::LocalKey;

use pgrx::prelude::*;
use pgrx::{PgXactCallbackEvent, Uuid, register_xact_callback};

use crate::lifecycle::lock_set;
use crate::postgres::statement::{Arg, Statement};

type Time = Option<TimestampWithTimeZone>;

/// How far a look went, in each of the two indexes that it may read; NULL is the start.
#[derive(Clone, Copy, Default)]
pub struct Cursor(pub Time, pub Time);

impl Cursor {
    fn is_start(self) -> bool {
        self.0.is_none() && self.1.is_none()
    }
}

/// How far the sweeps of this session came, and how far the one at work would.
struct Reached {
    committed: Cell<Cursor>,
    /// The last one counts: a sweep that is rolled back to its beginning looks once more.
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
/// Tasks that took too long.
pub static OF_TIMED_OUT: Backlog = Backlog { reached: &TIMED_OUT };

/// A stage's backlog.
pub struct Backlog {
    reached: &'static LocalKey<Reached>,
}

/// Tasks that may be failed: they and everything a verdict on them touches are locked, and nothing was waited for.
#[derive(Default)]
pub struct Taken {
    /// The tasks.
    pub tasks: Vec<Uuid>,
    /// Whether there may be more.
    pub more: bool,
}

/// Gives the arguments of a statement that finds candidates: those to leave out, how many at most, where to begin.
pub trait Arguments: Fn(Vec<Uuid>, Option<i64>, Cursor) -> Vec<Arg> {}
impl<F: Fn(Vec<Uuid>, Option<i64>, Cursor) -> Vec<Arg>> Arguments for F {}

struct Found {
    found: Vec<Uuid>,
    through: Cursor,
}

/// The next candidates, which the statement has locked.
fn look(candidates: &Statement, args: &[Arg]) -> Found {
    let mut through = Cursor::default();
    let found = candidates.rows(args, |row| {
        through = Cursor(row.column("dispatched_through").or(through.0), row.column("started_through").or(through.1));
        row.required("id")
    });
    Found { found, through }
}

impl Backlog {
    /// At most `limit` tasks, `exclude` not among them. One look, so that no more rows than that are ever locked: those
    /// of which another session holds something are left for the next sweep, which begins behind them.
    pub fn next(&self, candidates: &Statement, exclude: &[Uuid], limit: i64, args: impl Arguments) -> Taken {
        let from = self.reached.with(|reached| reached.committed.get());
        let first = look(candidates, &args(exclude.to_vec(), Some(limit), from));
        let full = first.found.len() as i64 >= limit;
        let mut tasks = lock_set::try_tasks(&first.found);
        if full || from.is_start() {
            self.reach(if full { first.through } else { Cursor::default() });
            return Taken { tasks, more: full };
        }
        // The end: what was passed over on the way there, or came in behind, gets its turn.
        let room = limit - first.found.len() as i64;
        let seen = [exclude, &first.found].concat();
        let again = look(candidates, &args(seen, Some(room), Cursor::default()));
        let passed_over = lock_set::try_tasks(&again.found);
        let more = again.found.len() as i64 >= room && !passed_over.is_empty();
        self.reach(if more { again.through } else { Cursor::default() });
        tasks.extend(passed_over);
        Taken { tasks, more }
    }

    /// Counts once the transaction commits: what an abort rolls back is still to be done.
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

/// The same from the start and without a bound on looking, for a call with a limit: the statement runs again
/// while rows that other sessions hold leave room below `limit`. `exclude` are not among them.
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
