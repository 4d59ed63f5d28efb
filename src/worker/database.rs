//! What the launcher knows about one database.

use pgrx::prelude::*;

use super::ffi::Started;
use super::schedule::next_due;
use super::shared::{Micros, Obstacle, Report};

/// A database that is to be swept.
pub struct Target {
    /// Its name.
    pub name: String,
    /// When it is due for a worker.
    pub due: Micros,
    /// When its last worker was started.
    pub started: Micros,
    /// Number of failed passes since the last successful pass.
    pub failures: u32,
    /// When its worker is terminated if it still runs.
    pub kill_at: Micros,
    obstacle: Option<Obstacle>,
    needs_update: bool,
    /// Its worker, while there is one.
    pub worker: Option<Started>,
}

impl Target {
    /// Makes a target that is due at once.
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

    /// Terminates a worker that exceeds its time limit, once. A trigger can ignore a cancellation, but it must not
    /// block a worker that other databases need.
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

    /// Whether a worker must be started.
    pub fn is_due(&self, now: Micros) -> bool {
        self.worker.is_none() && self.due <= now
    }

    /// Updates the target from the report of its worker; None if the worker exited without a report.
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
            Report::Swept { .. } => None,
        };
        if let Some(obstacle) = obstacle.filter(|new| self.obstacle != Some(*new)) {
            log!("multica launcher: database \"{}\" is not swept: {}", self.name, explain(obstacle));
        }
        self.obstacle = obstacle;
        self.due = next_due(report, self.started, now, interval, self.failures);
    }

    /// Logs once that the SQL objects are older than the library. The database is swept nevertheless.
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
