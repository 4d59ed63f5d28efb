//! What the launcher knows of one database.

use pgrx::prelude::*;

use super::foreign::Started;
use super::schedule::next_due;
use super::shared::{Moment, Obstacle, Report};

/// A database that is to be swept.
pub struct Target {
    /// Its name.
    pub name: String,
    /// When it is to be looked at next.
    pub due: Moment,
    /// When its last worker was started.
    pub started: Moment,
    /// Passes that failed since the last one that did not.
    pub failures: u32,
    /// When its worker is ended, should it still be there.
    pub overstays_at: Moment,
    obstacle: Option<Obstacle>,
    is_behind: bool,
    /// Its worker, while there is one.
    pub worker: Option<Started>,
}

impl Target {
    /// Due at once.
    pub fn new(name: String, now: Moment) -> Self {
        Self {
            name,
            due: now,
            started: now,
            failures: 0,
            overstays_at: Moment::MAX,
            obstacle: None,
            is_behind: false,
            worker: None,
        }
    }

    /// Ends a worker that overstays, once. A trigger can refuse to be cancelled; it must not keep a worker from others.
    pub fn keep_time(&mut self, now: Moment) {
        if let Some(worker) = &self.worker
            && self.overstays_at <= now
        {
            log!(
                "multica launcher: the worker of database \"{}\" overstays and is terminated",
                self.name
            );
            worker.terminate();
            self.overstays_at = Moment::MAX;
        }
    }

    /// Whether a worker is to be started.
    pub fn is_due(&self, now: Moment) -> bool {
        self.worker.is_none() && self.due <= now
    }

    /// What follows from a worker's report, or from its lack.
    pub fn settle(&mut self, report: Option<Report>, now: Moment, interval: i64) {
        let report = report.unwrap_or_else(|| {
            log!(
                "multica launcher: the worker of database \"{}\" ended before its time",
                self.name
            );
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
            log!(
                "multica launcher: database \"{}\" is not swept: {}",
                self.name,
                explain(obstacle)
            );
        }
        self.obstacle = obstacle;
        self.due = next_due(report, self.started, now, interval, self.failures);
    }

    /// Says once that the SQL objects are of an older version than the library, which sweeps all the same.
    pub fn compare(&mut self, is_behind: bool) {
        if is_behind && !self.is_behind {
            log!(
                "multica launcher: database \"{}\" has SQL objects of an older version than the library; run ALTER EXTENSION multica UPDATE, then multica_install()",
                self.name
            );
        }
        self.is_behind = is_behind;
    }
}

fn explain(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::NoExtension => "the extension is not there; run CREATE EXTENSION multica",
        Obstacle::OlderLibrary => {
            "the SQL objects are of a newer version than the library; install the newer package and restart the server"
        }
        Obstacle::NoTables => "the tables are not there; run SELECT * FROM multica_install()",
        Obstacle::SeveralOwners => {
            "its tables belong to several roles; give them one owner with ALTER TABLE ... OWNER TO"
        }
        Obstacle::HiddenSchema => {
            "the owner of its tables may not use their schema; run GRANT USAGE ON SCHEMA ... TO the owner"
        }
    }
}
