//! The locks of install. It takes all of them at once and never waits in the queue of a lock: every other session that
//! needs the table would wait behind it, and two sessions that wait for each other would deadlock.

use std::time::{Duration, Instant};

use super::Installation;
use super::step::Step;
use crate::error::{Error, Result};
use crate::postgres::ddl;
use crate::postgres::refusal::Refusal;
use crate::postgres::statement::{Statement, arg};
use crate::postgres::subtransaction;

static LOCKS: Statement = Statement::volatile(sql!("install/locks.sql"));
static PAUSE: Statement = Statement::volatile(sql!("install/pause.sql"));

/// A lock on a table, the weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lock {
    /// Other sessions read and write, and do not alter.
    Changes,
    /// Other sessions only read.
    Writes,
    /// Other sessions wait.
    Everything,
}

impl Lock {
    /// Its name in a LOCK statement.
    fn mode(self) -> &'static str {
        match self {
            Self::Changes => "SHARE UPDATE EXCLUSIVE",
            Self::Writes => "SHARE ROW EXCLUSIVE",
            Self::Everything => "ACCESS EXCLUSIVE",
        }
    }
}

/// The tables that calls lock, in the order of [`crate::lifecycle::lock_set`]; other tables come after them.
const ORDER: [&str; 8] =
    ["workspace", "agent_runtime", "chat_session", "agent", "issue", "autopilot_run", "comment", "agent_task_queue"];

/// Takes all locks that the steps need, or none. Repeats that, with pauses in which it holds none of them, for
/// `patience`; without it, until it succeeds or the call is cancelled.
///
/// Before the first attempt it waits for a lock that no call of the fleet conflicts with. Postgres cancels an autovacuum
/// for a session that waits, and not for one that does not; the autovacuum of a large table may take hours.
pub fn take(place: &Installation, steps: &[Step], patience: Option<Duration>) -> Result<()> {
    let (reserve, take): (Vec<String>, Vec<String>) = statements(place, steps).into_iter().unzip();
    attempt(&reserve).map_err(locked)?;
    let begun = Instant::now();
    while let Err(refusal) = attempt(&take) {
        if patience.is_some_and(|patience| begun.elapsed() >= patience) {
            return Err(locked(refusal));
        }
        PAUSE.run(&[]);
    }
    Ok(())
}

/// Runs the statements. If one of them cannot get its lock, none is held.
fn attempt(statements: &[String]) -> std::result::Result<bool, Refusal> {
    subtransaction::commit_if_not_refused(|| {
        ddl::run(statements);
        true
    })
}

fn locked(refusal: Refusal) -> Error {
    Error::Locked {
        message: "other sessions hold locks on the tables of multica".into(),
        detail: refusal.text,
        hint:
            "Run the function again when the transactions that use the table have ended (pg_locks shows them), or set \
               lock_timeout to a longer time."
                .into(),
    }
}

/// Returns the statements that reserve each table, and that lock it once, in the strongest mode that a step needs.
fn statements(place: &Installation, steps: &[Step]) -> Vec<(String, String)> {
    let mut needed: Vec<(&str, Lock)> = Vec::new();
    for (table, lock) in steps.iter().filter(|step| step.runs()).flat_map(|step| &step.locks) {
        match needed.iter_mut().find(|(name, _)| name == table) {
            Some((_, held)) => *held = (*held).max(*lock),
            None => needed.push((table, *lock)),
        }
    }
    let place_in_order = |table: &str| ORDER.iter().position(|name| *name == table).unwrap_or(ORDER.len());
    needed.sort_by_key(|(table, _)| (place_in_order(table), *table));
    let tables: Vec<String> = needed.iter().map(|(table, _)| table.to_string()).collect();
    let modes: Vec<String> = needed.iter().map(|(_, lock)| lock.mode().to_string()).collect();
    LOCKS.rows(&[arg(place.schema.clone()), arg(tables), arg(modes)], |row| {
        (row.required("reserve"), row.required("take"))
    })
}
