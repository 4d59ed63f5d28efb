//! One client of the storm: its session, its dice, and what it puts up with.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use postgres::{Client, NoTls};

use super::ledger::Promise;
use super::{Storm, Weather};
use crate::query::rows;

/// How long an impatient client waits for a lock. Postgres looks for deadlocks earlier where a storm is rough, so none
/// hides behind it.
const PATIENCE: &str = "-c lock_timeout=400ms";

/// What a client does all day.
pub trait Life: Send {
    /// One step, and how long to rest after it. What it keeps in mind changes only with an answer: a step may end in
    /// the middle, with the session lost.
    fn step(&mut self, actor: &mut Actor) -> Result<Duration>;

    /// A session has begun.
    fn connected(&mut self, _actor: &mut Actor) -> Result<()> {
        Ok(())
    }
}

/// The client's means.
pub struct Actor {
    storm: Arc<Storm>,
    /// Its dice.
    pub rng: Rng,
    /// Its session.
    pub client: Client,
    impatient: bool,
}

impl Actor {
    /// Connects; in rough weather some are too impatient to wait for a lock.
    pub fn new(storm: &Arc<Storm>, rng: Rng, impatient: bool) -> Result<Actor> {
        let impatient = impatient && storm.weather == Weather::Rough;
        Ok(Actor { client: connect(storm, impatient)?, storm: storm.clone(), rng, impatient })
    }

    /// Steps until the storm is over.
    pub fn live(mut self, mut life: Box<dyn Life>) -> Result<()> {
        let mut new = true;
        while !self.storm.is_over() {
            let storm = self.storm.clone();
            let turn = storm.gate.enter();
            let mut stepped = if std::mem::take(&mut new) { life.connected(&mut self) } else { Ok(()) }
                .and_then(|()| life.step(&mut self));
            drop(turn);
            if let Err(error) = stepped {
                new = self.survive(error)?;
                stepped = Ok(self.upto(20));
            }
            std::thread::sleep(stepped?);
        }
        Ok(())
    }

    /// A new session: the old one is gone with whatever it had begun.
    pub fn reconnect(&mut self) -> Result<()> {
        self.client = connect(&self.storm, self.impatient)?;
        Ok(())
    }

    /// Runs statements in one transaction and gives their rows. None: refused because of the state that things are in
    /// by now, which is part of the game; any other error is for [`survive`](Actor::survive).
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
                // A statement of the application's own may name a runtime that has just been merged away.
                let own = sql.starts_with("UPDATE") || sql.starts_with("INSERT INTO agent_task_queue");
                let refused = matches!(state.as_str(), "55000" | "P0002" | "22004") || own && state == "23503";
                if !refused {
                    return Err(anyhow::Error::new(error).context(sql.to_string()));
                }
                self.client.batch_execute("ROLLBACK")?;
                self.storm.tally.refused.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    /// The events that a committed transaction took.
    pub fn took(&self, ids: impl IntoIterator<Item = i64>) {
        self.storm.ledger().note_taken(ids);
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    /// Some milliseconds, at most so many.
    pub fn upto(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.rng.u64(0..=most))
    }

    /// Goes on after an error that the weather brings, in a new session where the old one is gone (true). Any other is
    /// a defect.
    fn survive(&mut self, error: anyhow::Error) -> Result<bool> {
        let Some(cause) = error.downcast_ref::<postgres::Error>().filter(|_| self.storm.weather == Weather::Rough)
        else {
            return Err(error);
        };
        let state = cause.code().map(|code| code.code().to_string());
        let tally = &self.storm.tally;
        match state.as_deref() {
            Some("55P03") => tally.timed_out.fetch_add(1, Ordering::Relaxed),
            Some("53100") if self.storm.disk_was_full.load(Ordering::Relaxed) => {
                tally.no_room.fetch_add(1, Ordering::Relaxed)
            }
            Some("57P01" | "57P02" | "57P03") => return self.come_back(),
            None if is_gone(cause) => return self.come_back(),
            _ => return Err(error),
        };
        match self.client.batch_execute("ROLLBACK") {
            Ok(()) => Ok(false),
            Err(_) => self.come_back(),
        }
    }

    /// Tries until there is a server again.
    fn come_back(&mut self) -> Result<bool> {
        self.storm.tally.lost.fetch_add(1, Ordering::Relaxed);
        while self.reconnect().is_err() && !self.storm.is_over() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(true)
    }
}

/// Whether an error without a SQLSTATE says that there is nobody at the other end.
fn is_gone(error: &postgres::Error) -> bool {
    error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>())
}

fn connect(storm: &Storm, impatient: bool) -> Result<Client> {
    let mut config = storm.server();
    if impatient {
        config.options(PATIENCE);
    }
    let client = config.connect(NoTls)?;
    ensure!(!client.is_closed(), "the session is closed");
    Ok(client)
}
