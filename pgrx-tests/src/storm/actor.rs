//! One client of the storm: its database session, its random numbers, and which errors it tolerates.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use postgres::{Client, NoTls};

use super::ledger::Promise;
use super::{Conditions, Storm};
use crate::query::rows;

/// How long some clients wait for a lock. Under faults `deadlock_timeout` is shorter, so that a deadlock is reported as
/// one.
const LOCK_TIMEOUT: &str = "-c lock_timeout=400ms";

/// What one kind of client does.
pub trait Behaviour: Send {
    /// Does one step, and returns how long to wait after it. Its state may change only after an answer, because the
    /// session can be lost in the middle of a step.
    fn step(&mut self, actor: &mut Actor) -> Result<Duration>;

    /// Is called in each new database session.
    fn connected(&mut self, _actor: &mut Actor) -> Result<()> {
        Ok(())
    }
}

/// What a client works with.
pub struct Actor {
    storm: Arc<Storm>,
    /// Its random numbers.
    pub rng: Rng,
    /// Its database session.
    pub client: Client,
    limits_locks: bool,
}

impl Actor {
    /// Connects. `limits_locks` sets a `lock_timeout` if there are faults.
    pub fn new(storm: &Arc<Storm>, rng: Rng, limits_locks: bool) -> Result<Actor> {
        let limits_locks = limits_locks && storm.conditions == Conditions::WithFaults;
        Ok(Actor { client: connect(storm, limits_locks)?, storm: storm.clone(), rng, limits_locks })
    }

    /// Repeats steps until the storm ends.
    pub fn run_until_end(mut self, mut behaviour: Box<dyn Behaviour>) -> Result<()> {
        let mut new = true;
        while !self.storm.is_over() {
            let storm = self.storm.clone();
            let step = storm.pause.begin_step();
            let mut stepped = if std::mem::take(&mut new) { behaviour.connected(&mut self) } else { Ok(()) }
                .and_then(|()| behaviour.step(&mut self));
            drop(step);
            if let Err(error) = stepped {
                new = self.tolerate(error)?;
                stepped = Ok(self.upto(20));
            }
            std::thread::sleep(stepped?);
        }
        Ok(())
    }

    /// Starts a new database session. The transaction of the old one is rolled back.
    pub fn reconnect(&mut self) -> Result<()> {
        self.client = connect(&self.storm, self.limits_locks)?;
        Ok(())
    }

    /// Runs statements in one transaction and returns their rows. Returns None if a call was refused because the state
    /// has changed meanwhile, which is expected. For other errors see [`tolerate`](Actor::tolerate).
    pub fn run(&mut self, sql: &str, promise: Promise) -> Result<Option<Vec<String>>> {
        self.storm.tally.calls.fetch_add(1, Ordering::Relaxed);
        match self.client.simple_query(&format!("BEGIN; {sql}; COMMIT")) {
            Ok(messages) => {
                let rows = rows(&messages);
                self.storm.ledger().note(promise, &rows)?;
                Ok(Some(rows))
            }
            Err(error) => {
                let state = error.code().map_or("", |code| code.code()).to_string();
                // The application's own statement may refer to a runtime that has just been merged and deleted.
                let is_own = sql.starts_with("UPDATE") || sql.starts_with("INSERT INTO agent_task_queue");
                let refused =
                    matches!(state.as_str(), "55000" | "40001" | "P0002" | "22004") || is_own && state == "23503";
                if !refused {
                    return Err(anyhow::Error::new(error).context(sql.to_string()));
                }
                self.client.batch_execute("ROLLBACK")?;
                self.storm.tally.refused.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    /// Records which events a committed transaction took.
    pub fn took(&self, ids: impl IntoIterator<Item = i64>) {
        self.storm.ledger().note_taken(ids);
    }

    /// True with a probability of `percent`.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    /// A random number of milliseconds, at most `most`.
    pub fn upto(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.rng.u64(0..=most))
    }

    /// Returns whether it had to start a new session after an error that the faults cause. Any other error is a defect,
    /// and is returned.
    fn tolerate(&mut self, error: anyhow::Error) -> Result<bool> {
        let Some(cause) =
            error.downcast_ref::<postgres::Error>().filter(|_| self.storm.conditions == Conditions::WithFaults)
        else {
            return Err(error);
        };
        let state = cause.code().map(|code| code.code().to_string());
        let tally = &self.storm.tally;
        match state.as_deref() {
            Some("55P03") => tally.timed_out.fetch_add(1, Ordering::Relaxed),
            Some("53100") if self.storm.disk_was_full.load(Ordering::Relaxed) => {
                tally.disk_full.fetch_add(1, Ordering::Relaxed)
            }
            Some("57P01" | "57P02" | "57P03") => return self.reconnect_until_it_works(),
            None if is_lost(cause) => return self.reconnect_until_it_works(),
            _ => return Err(error),
        };
        match self.client.batch_execute("ROLLBACK") {
            Ok(()) => Ok(false),
            Err(_) => self.reconnect_until_it_works(),
        }
    }

    /// Tries until a server accepts the connection.
    fn reconnect_until_it_works(&mut self) -> Result<bool> {
        self.storm.tally.lost.fetch_add(1, Ordering::Relaxed);
        while self.reconnect().is_err() && !self.storm.is_over() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(true)
    }
}

/// Whether an error without a SQLSTATE means that the connection is lost.
fn is_lost(error: &postgres::Error) -> bool {
    error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>())
}

fn connect(storm: &Storm, limits_locks: bool) -> Result<Client> {
    let mut config = storm.server();
    if limits_locks {
        config.options(LOCK_TIMEOUT);
    }
    let client = config.connect(NoTls)?;
    ensure!(!client.is_closed(), "the session is closed");
    Ok(client)
}
