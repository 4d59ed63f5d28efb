//! Limits of tasks in flight: of a runtime, of a provider, of a workspace. The table `multica_claim_limit` contains them; it is
//! empty unless an operator sets one.
//!
//! The row of a limit protects the number of tasks in flight below it, as the row of an agent protects those of the
//! agent: a claim locks it before it chooses tasks, and counts in a fresh snapshot. Limits come after the runtimes and
//! before the chat sessions in the order of locks. A claim that holds one waits for no other row.

use std::collections::HashSet;

use pgrx::Uuid;

use super::features::Feature;
use crate::error::{Error, Result};
use crate::postgres::relation;
use crate::postgres::statement::{Row, Statement, arg};
use crate::postgres::subtransaction;

static ROOMS: Statement = Statement::volatile(sql!("lifecycle/claim_limit/rooms.sql"));
static HOLD: Statement = Statement::volatile(sql!("lifecycle/claim_limit/hold.sql"));
static FOLLOW: Statement = Statement::volatile(sql!("lifecycle/claim_limit/follow.sql"));
static TRY_HOLD: Statement = Statement::volatile(sql!("lifecycle/claim_limit/try_hold.sql"));

/// What a limit is for: its scope and key.
pub type LimitKey = (String, String);

/// A limit that holds for some of the runtimes of a claim.
#[derive(Clone)]
struct Limit {
    key: LimitKey,
    runtimes: Vec<Uuid>,
    /// How many more tasks it allows in flight.
    room: i64,
}

/// The limits that hold for the runtimes of a claim, each with the room that it leaves. It is empty if there is none.
#[derive(Default, Clone)]
pub struct ClaimLimits(Vec<Limit>);

impl ClaimLimits {
    /// Reads the limits, and counts the tasks in flight. While the table is empty, no statement runs.
    pub fn of(runtimes: &[Uuid]) -> Self {
        if !exist() {
            return Self::default();
        }
        let read = |row: &Row| Limit {
            key: (row.required("scope"), row.required("key")),
            runtimes: row.required("runtimes"),
            room: row.required::<i64>("room").max(0),
        };
        Self(ROOMS.rows(&[arg(runtimes.to_vec())], read))
    }

    /// Returns the same limits without the room of those that are not `held`. Another session may be about to take it, or
    /// the limit was set after the caller had locked the limits.
    pub fn held(mut self, held: &[LimitKey]) -> Self {
        for limit in self.0.iter_mut().filter(|limit| !held.contains(&limit.key)) {
            limit.room = 0;
        }
        self
    }

    /// Whether no limit holds for any of the runtimes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many more tasks a runtime may have in flight; None for any number.
    pub fn room_of(&self, runtime: Uuid) -> Option<i64> {
        self.of_runtime(runtime).map(|limit| limit.room).min()
    }

    /// Counts one more task of the runtime, unless a limit leaves no room. Returns whether it was counted.
    pub fn take(&mut self, runtime: Uuid) -> bool {
        if self.of_runtime(runtime).any(|limit| limit.room == 0) {
            return false;
        }
        for limit in self.0.iter_mut().filter(|limit| limit.runtimes.contains(&runtime)) {
            limit.room -= 1;
        }
        true
    }

    /// Returns what the limits of these runtimes are for.
    pub fn keys_of(&self, runtimes: &HashSet<Uuid>) -> Vec<LimitKey> {
        let limits = self.0.iter().filter(|limit| limit.runtimes.iter().any(|runtime| runtimes.contains(runtime)));
        limits.map(|limit| limit.key.clone()).collect()
    }

    fn of_runtime(&self, runtime: Uuid) -> impl Iterator<Item = &Limit> {
        self.0.iter().filter(move |limit| limit.runtimes.contains(&runtime))
    }
}

/// Locks limits, so that no other claim counts or takes tasks below them until the end of the transaction. A call that
/// `waits` must hold no row for which others wait. Returns those that it could lock.
pub fn hold(wanted: Vec<LimitKey>, waits: bool) -> Vec<LimitKey> {
    if wanted.is_empty() {
        return wanted;
    }
    let (scopes, keys): (Vec<String>, Vec<String>) = wanted.into_iter().unzip();
    let statement = if waits { &HOLD } else { &TRY_HOLD };
    statement.rows(&[arg(scopes), arg(keys)], |row| (row.must(1), row.must(2)))
}

/// Waits until no other session holds a limit of the runtime, and keeps no lock. The caller holds no row.
pub fn wait(runtime: Uuid) {
    let limits = ClaimLimits::of(&[runtime]);
    if !limits.is_empty() {
        subtransaction::rolled_back(|| hold(limits.keys_of(&HashSet::from([runtime])), true));
    }
}

/// Holds the limits of a runtime, for a call that already holds rows that come later in the order, so it does not wait.
/// Returns whether they allow one more task of the runtime; 40001 if another session holds one.
pub fn allow_one_more(runtime: Uuid) -> Result<bool> {
    let of_runtime = HashSet::from([runtime]);
    let wanted = ClaimLimits::of(&[runtime]).keys_of(&of_runtime);
    let held = hold(wanted, false);
    // Counted in a fresh snapshot, and a limit may have been set since.
    let limits = ClaimLimits::of(&[runtime]);
    match limits.keys_of(&of_runtime).into_iter().find(|key| !held.contains(key)) {
        None => Ok(limits.room_of(runtime) != Some(0)),
        Some((scope, key)) => Err(Error::conflict(
            "another session claims a task below the same limit at the same time",
            format!("The limit is that of the {scope} {key}, and another session holds it."),
        )),
    }
}

/// Gives each runtime in `to` the limit of the runtime at the same place in `from`, which it replaces, unless it has one
/// of its own.
pub fn follow(from: Vec<Uuid>, to: Vec<Uuid>) {
    if exist() {
        FOLLOW.run(&[arg(from), arg(to)]);
    }
}

/// Whether there may be limits. The table is not read.
fn exist() -> bool {
    Feature::ClaimLimit.is_present() && !relation::is_empty(c"multica_claim_limit")
}
