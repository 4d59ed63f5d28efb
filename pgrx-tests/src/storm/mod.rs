//! The storm: sixteen clients at the same time. They are daemons that crash, users, sweepers and readers of events.

mod actor;
mod daemon;
pub mod invariants;
mod ledger;
mod pause;
mod reader;
mod user;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use postgres::Config;

use actor::{Actor, Behaviour};
pub use ledger::{Ledger, Promise};
use pause::Pause;
pub use reader::take_remaining;
pub use user::random_call;

/// Machines, one daemon each.
const MACHINES: usize = 5;
/// Users, sweepers included.
const USERS: usize = 9;
/// Replicas of an application that share one named reader.
const READERS: usize = 2;

/// Which errors the clients must expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conditions {
    /// No faults. A call may be refused only because of the state of its rows.
    Normal,
    /// The server restarts or fails over; locks time out, and the disk is full at times.
    WithFaults,
}

/// What all clients share.
pub struct Storm {
    conditions: Conditions,
    server: RwLock<Config>,
    over: AtomicBool,
    pause: Pause,
    ledger: Mutex<Ledger>,
    /// Counts of what the clients have seen.
    pub tally: Tally,
    disk_was_full: AtomicBool,
}

/// Counts of what the clients have seen.
#[derive(Default)]
pub struct Tally {
    /// Calls made.
    pub calls: AtomicU64,
    /// Calls refused because of the state of their rows.
    pub refused: AtomicU64,
    /// Database sessions lost, mostly in the middle of a call with an unknown outcome.
    pub lost: AtomicU64,
    /// Calls cancelled by `lock_timeout`.
    pub timed_out: AtomicU64,
    /// Calls that failed because the disk was full.
    pub disk_full: AtomicU64,
}

impl Tally {
    /// Every count, always in the same order.
    pub fn all(&self) -> [&AtomicU64; 5] {
        [&self.calls, &self.refused, &self.lost, &self.timed_out, &self.disk_full]
    }
}

/// A storm whose clients run, until it is ended or dropped.
pub struct RunningStorm {
    /// What the clients share.
    pub storm: Arc<Storm>,
    clients: Vec<JoinHandle<Result<()>>>,
}

impl Storm {
    /// Starts sixteen clients.
    pub fn begin(config: Config, rng: &mut Rng, conditions: Conditions) -> Result<RunningStorm> {
        let storm = Arc::new(Storm {
            conditions,
            server: RwLock::new(config),
            over: AtomicBool::new(false),
            pause: Pause::default(),
            ledger: Mutex::default(),
            tally: Tally::default(),
            disk_was_full: AtomicBool::new(false),
        });
        let mut behaviours: Vec<Box<dyn Behaviour>> = Vec::new();
        for number in 1..=MACHINES {
            behaviours.push(Box::new(daemon::Machine::new(number)));
        }
        for number in 0..USERS {
            behaviours.push(Box::new(user::User::new(number)));
        }
        for _ in 0..READERS {
            behaviours.push(Box::new(reader::Reader));
        }
        let mut running = RunningStorm { storm: storm.clone(), clients: Vec::new() };
        for (number, behaviour) in behaviours.into_iter().enumerate() {
            let actor = Actor::new(&storm, rng.fork(), number % 2 == 1)?;
            running.clients.push(std::thread::spawn(move || actor.run_until_end(behaviour)));
        }
        Ok(running)
    }

    /// Sets the server that clients connect to from now on.
    pub fn set_server(&self, config: Config) {
        *self.server.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// What the server has acknowledged to the clients.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets whether a call may fail because the disk is full.
    pub fn expect_full_disk(&self, expected: bool) {
        self.disk_was_full.store(expected, Ordering::Relaxed);
    }

    /// Lets no client begin another step; fails if one is still in the middle of one after `limit`.
    pub fn pause(&self, limit: Duration) -> Result<()> {
        ensure!(self.pause.start(limit), "after {limit:?} a client still waits for an answer");
        Ok(())
    }

    /// Lets the clients continue.
    pub fn resume(&self) {
        self.pause.end();
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn request_end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.pause.end();
    }

    fn server(&self) -> Config {
        self.server.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl RunningStorm {
    /// Whether a client has ended early, which only a defect causes.
    pub fn has_failed(&self) -> bool {
        self.clients.iter().any(JoinHandle::is_finished)
    }

    /// Lets the clients run for this long, or until one of them has failed.
    pub fn run_for(&self, length: Duration) {
        let began = std::time::Instant::now();
        while began.elapsed() < length && !self.has_failed() {
            std::thread::sleep(Duration::from_millis(20).min(length));
        }
    }

    /// Ends the storm and waits for all clients.
    pub fn end(mut self) -> Result<Arc<Storm>> {
        self.storm.request_end();
        for client in self.clients.drain(..) {
            client.join().expect("a client of the storm does not panic")?;
        }
        Ok(self.storm.clone())
    }
}

impl Drop for RunningStorm {
    fn drop(&mut self) {
        self.storm.request_end();
    }
}
