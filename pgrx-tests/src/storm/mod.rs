//! Everybody at once: daemons that die, users who change their minds, sweepers, readers of events, sixteen clients in
//! all.

mod actor;
mod daemon;
mod gate;
pub mod invariants;
mod ledger;
mod reader;
mod user;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use postgres::Config;

use actor::{Actor, Life};
use gate::Gate;
pub use ledger::{Ledger, Promise};
pub use reader::take_the_rest;
pub use user::wish;

/// Machines of the fixture, a daemon each.
const MACHINES: usize = 5;
/// Users, sweepers included.
const USERS: usize = 9;
/// Replicas of an application that take events under one name.
const READERS: usize = 2;

/// What clients put up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// The server is there, and only the state of things may refuse a call.
    Calm,
    /// The server goes and comes back, or another takes its place; locks are not always to be had, nor room on the
    /// disk.
    Rough,
}

/// What all clients share.
pub struct Storm {
    weather: Weather,
    server: RwLock<Config>,
    over: AtomicBool,
    gate: Gate,
    ledger: Mutex<Ledger>,
    /// How often what has happened.
    pub tally: Tally,
    disk_was_full: AtomicBool,
}

/// How often what has happened to the clients.
#[derive(Default)]
pub struct Tally {
    /// Calls made.
    pub calls: AtomicU64,
    /// Of them refused because of the state that things were in by then.
    pub refused: AtomicU64,
    /// Sessions that broke off, mostly in the middle of a call whose outcome nobody knows.
    pub lost: AtomicU64,
    /// Calls given up after `lock_timeout`.
    pub timed_out: AtomicU64,
    /// Calls that found no room on the disk.
    pub no_room: AtomicU64,
}

impl Tally {
    /// Every count, always in the same order.
    pub fn all(&self) -> [&AtomicU64; 5] {
        [&self.calls, &self.refused, &self.lost, &self.timed_out, &self.no_room]
    }
}

/// A storm that blows, until it is ended or dropped.
pub struct Blowing {
    /// What the clients share.
    pub storm: Arc<Storm>,
    clients: Vec<JoinHandle<Result<()>>>,
}

impl Storm {
    /// Sixteen clients begin.
    pub fn begin(config: Config, rng: &mut Rng, weather: Weather) -> Result<Blowing> {
        let storm = Arc::new(Storm {
            weather,
            server: RwLock::new(config),
            over: AtomicBool::new(false),
            gate: Gate::default(),
            ledger: Mutex::default(),
            tally: Tally::default(),
            disk_was_full: AtomicBool::new(false),
        });
        let mut lives: Vec<Box<dyn Life>> = Vec::new();
        for number in 1..=MACHINES {
            lives.push(Box::new(daemon::Machine::new(number)));
        }
        for number in 0..USERS {
            lives.push(Box::new(user::User::new(number)));
        }
        for _ in 0..READERS {
            lives.push(Box::new(reader::Reader));
        }
        let mut blowing = Blowing { storm: storm.clone(), clients: Vec::new() };
        for (number, life) in lives.into_iter().enumerate() {
            let actor = Actor::new(&storm, rng.fork(), number % 2 == 1)?;
            blowing.clients.push(std::thread::spawn(move || actor.live(life)));
        }
        Ok(blowing)
    }

    /// Where clients connect to from now on.
    pub fn turn_to(&self, config: Config) {
        *self.server.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// What was promised to the clients.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may find no room on the disk.
    pub fn expect_full_disk(&self, expected: bool) {
        self.disk_was_full.store(expected, Ordering::Relaxed);
    }

    /// Lets no client begin another step; fails if one is still in the middle of one after `limit`.
    pub fn pause(&self, limit: Duration) -> Result<()> {
        ensure!(self.gate.close(limit), "after {limit:?} a client still waits for an answer");
        Ok(())
    }

    /// Lets the clients go on.
    pub fn resume(&self) {
        self.gate.open();
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn call_it_a_day(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.gate.open();
    }

    fn server(&self) -> Config {
        self.server.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Blowing {
    /// Whether a client has given up: none does before the end unless there is a defect.
    pub fn is_broken(&self) -> bool {
        self.clients.iter().any(JoinHandle::is_finished)
    }

    /// Lets it blow for a while, or until a client has given up.
    pub fn blow_for(&self, length: Duration) {
        let began = std::time::Instant::now();
        while began.elapsed() < length && !self.is_broken() {
            std::thread::sleep(Duration::from_millis(20).min(length));
        }
    }

    /// Ends it and waits for everybody.
    pub fn end(mut self) -> Result<Arc<Storm>> {
        self.storm.call_it_a_day();
        for client in self.clients.drain(..) {
            client.join().expect("a client of the storm does not panic")?;
        }
        Ok(self.storm.clone())
    }
}

impl Drop for Blowing {
    fn drop(&mut self) {
        self.storm.call_it_a_day();
    }
}
