//! What the launcher knows of one database.

use pgrx::prelude::*;

use super::ffi::Started;
use super::schedule::next_due;
use super::shared::{Micros, Obstacle, Report};

/// A database that is to be swept.
pub struct Target {
    /// Its name.
    pub name: String,
    /// When it is to be looked at next.
    pub due: Micros,
    /// When its last worker was started.
    pub started: Micros,
    /// Passes that failed since the last one that did not.
    pub failures: u32,
    /// When its worker is ended, should it still be there.
    pub kill_at: Micros,
    obstacle: Option<Obstacle>,
    needs_update: bool,
    /// Its worker, while there is one.
    pub worker: Option<Started>,
}

impl Target {
    /// Due at once.
    pub fn new(name: String, now: Micros) -> Self {
        Self {
            name,
            due: now,
            started: now,
            failures: 0,
            kill_at: Micros::MAX,
            obstacle: None,
            needs_update: false,
            worker: None,
        }
    }

    /// Ends a worker that overstays, once. A trigger can refuse to be cancelled; it must not keep a worker from others.
    pub fn keep_time(&mut self, now: Micros) {
        if let Some(worker) = &self.worker
            && self.kill_at <= now
        {
            log!(
                "multica launcher: the worker of database \"{}\" exceeded its time limit and is terminated",
                self.name
            );
            worker.terminate();
            self.kill_at = Micros::MAX;
        }
    }

    /// Whether a worker is to be started.
    pub fn is_due(&self, now: Micros) -> bool {
        self.worker.is_none() && self.due <= now
    }

    /// What follows from a worker's report, or from its lack.
    pub fn settle(&mut self, report: Option<Report>, now: Micros, interval: i64) {
        let report = report.unwrap_or_else(|| {
            log!("multica launcher: the worker of database \"{}\" exited unexpectedly", self.name);
            Report::Failed
        });
        self.failures = match report {
            Report::Failed => self.failures.saturating_add(1),
            _ => 0,
        };
        let obstacle = match report {
            Report::Impossible(obstacle) => Some(obstacle),
            Report::Busy | Report::Failed => self.obstacle,
            Report::Swept { .. } | Report::Deferred { .. } => None,
        };
        if let Some(obstacle) = obstacle.filter(|new| self.obstacle != Some(*new)) {
            log!("multica launcher: database \"{}\" is not swept: {}", self.name, explain(obstacle));
        }
        self.obstacle = obstacle;
        self.due = next_due(report, self.started, now, interval, self.failures);
    }

    /// Says once that the SQL objects are of an older version than the library, which sweeps all the same.
    pub fn compare(&mut self, needs_update: bool) {
        if needs_update && !self.needs_update {
            log!(
                "multica launcher: database \"{}\" has SQL objects older than the library; run ALTER EXTENSION multica UPDATE, then multica_install()",
                self.name
            );
        }
        self.needs_update = needs_update;
    }
}

fn explain(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::NoExtension => "the extension is missing; run CREATE EXTENSION multica",
        Obstacle::OlderLibrary => {
            "the SQL objects are newer than the library; install the newer package and restart the server"
        }
        Obstacle::NoTables => "the tables are missing; run SELECT * FROM multica_install()",
        Obstacle::SeveralOwners => {
            "its tables belong to several roles; assign them to one owner with ALTER TABLE ... OWNER TO"
        }
        Obstacle::HiddenSchema => {
            "the owner of its tables is not allowed to use their schema; run GRANT USAGE ON SCHEMA ... TO the owner"
        }
    }
}
