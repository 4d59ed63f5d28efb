//! The locks of install. It takes all of them at once and never waits in the queue of a lock: every other session that
//! needs the table would wait behind it, and two sessions that wait for each other would deadlock.

use std::time::{Duration, Instant};

use super::Installation;
use super::step::Step;
use crate::error::{Error, Result};
use crate::postgres::ddl;
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
pub fn take(place: &Installation, steps: &[Step], patience: Option<Duration>) -> Result<()> {
    let statements = statements(place, steps);
    if statements.is_empty() {
        return Ok(());
    }
    let begun = Instant::now();
    loop {
        let attempt = subtransaction::commit_if_not_refused(|| {
            ddl::run(&statements);
            true
        });
        let Err(refusal) = attempt else {
            return Ok(());
        };
        if patience.is_some_and(|patience| begun.elapsed() >= patience) {
            return Err(Error::Locked {
                message: "other sessions hold locks on the tables of multica".into(),
                detail: refusal.text,
                hint:
                    "Run the function again when the transactions that use the table have ended (pg_locks shows them), \
                       or set lock_timeout to a longer time."
                        .into(),
            });
        }
        PAUSE.run(&[]);
    }
}

/// Returns the statements that lock each table once, in the strongest mode that a step needs.
fn statements(place: &Installation, steps: &[Step]) -> Vec<String> {
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
    LOCKS.rows(&[arg(place.schema.clone()), arg(tables), arg(modes)], |row| row.must(1))
}
