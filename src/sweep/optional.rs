//! Stages that read an index which not every database has. Without the index a stage would read the history of all
//! tasks, so it is off.

use std::collections::HashSet;

use crate::lifecycle::features::Feature;
use crate::lifecycle::thresholds;
use crate::postgres::statement::{Statement, arg};
use crate::settings;

static USABLE_INDEXES: Statement = Statement::stable(sql!("sweep/usable_indexes.sql"));

/// Of each list, one index suffices.
const OF_QUEUED: &[&str] = &["multica_task_claim"];
const OF_QUEUED_BY_TIME: &[&str] = &["idx_agent_task_queue_queued_created_at"];
const OF_DEFERRED: &[&str] = &["multica_task_deferred", "idx_agent_task_queue_deferred_fire"];
const OF_ENDED: &[&str] =
    &["idx_agent_task_queue_terminal_completed_at_v2", "idx_agent_task_queue_terminal_completed_at"];

const OF_BUSY: &[&str] = &["multica_task_busy_v2"];
const OF_CHATS: &[&str] = &["multica_task_chat_v2"];
const OF_RUNTIMES: &[&str] = &["multica_task_runtime"];
const IN_FLIGHT: &[&str] = &["multica_task_in_flight_v2"];

/// A stage that can be off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Tasks that their daemons no longer name are failed. Without the index, heartbeats do not notice them.
    Lost,
    /// Running tasks that give no sign of life any more are failed.
    Idle,
    /// Deferred retries whose runtime did not come back are failed, and deferred tasks follow their agents.
    Deferred,
    /// Tasks that were queued for too long are failed.
    QueuedTtl,
    /// What another program left undone is completed.
    Finish,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Lost, Self::Idle, Self::Deferred, Self::QueuedTtl, Self::Finish];

    /// Returns the name that users see.
    fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost_after",
            Self::Idle => "idle_timeout",
            Self::Deferred => "deferred tasks",
            Self::QueuedTtl => "queued_ttl",
            Self::Finish => "finish_after",
        }
    }

    /// Whether the tables and the settings ask for the stage.
    fn is_wanted(self) -> bool {
        match self {
            Self::Lost => settings::lost_after_secs() > 0.0 && Feature::Signs.is_present(),
            Self::Idle => {
                let is_stored = Feature::TaskBeat.is_present() || Feature::Signs.is_present();
                settings::idle_timeout_secs() > 0.0 && is_stored
            }
            Self::Deferred => Feature::Deferred.is_present(),
            Self::QueuedTtl => thresholds::queued_ttl().secs > 0.0,
            Self::Finish => thresholds::finish_after_secs() > 0.0,
        }
    }

    fn indexes(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Lost => &[OF_RUNTIMES],
            Self::Idle => &[IN_FLIGHT],
            Self::Deferred => &[OF_DEFERRED],
            Self::QueuedTtl => &[OF_QUEUED, OF_QUEUED_BY_TIME, OF_ENDED, OF_BUSY, OF_CHATS],
            Self::Finish => &[OF_ENDED, OF_CHATS],
        }
    }
}

/// Which of the stages are wanted, and which of these are off.
pub struct Optional {
    wanted: Vec<Stage>,
    there: HashSet<String>,
}

impl Optional {
    /// Reads the settings and the catalogue.
    pub fn look() -> Self {
        let wanted: Vec<Stage> = Stage::ALL.into_iter().filter(|stage| stage.is_wanted()).collect();
        let mut names: Vec<&str> = wanted.iter().flat_map(|stage| stage.indexes().concat()).collect();
        names.dedup();
        if names.is_empty() {
            return Self { wanted, there: HashSet::new() };
        }
        let names: Vec<String> = names.into_iter().map(String::from).collect();
        let there = USABLE_INDEXES.rows(&[arg(names)], |row| row.must(1)).into_iter().collect();
        Self { wanted, there }
    }

    fn lacks(&self, stage: Stage) -> Option<&'static [&'static str]> {
        let mut needed = stage.indexes().iter().copied();
        needed.find(|any| !any.iter().any(|name| self.there.contains(*name)))
    }

    /// Whether the stage runs.
    pub fn has(&self, stage: Stage) -> bool {
        self.wanted.contains(&stage) && self.lacks(stage).is_none()
    }

    /// Returns each stage that is wanted and off, with the index that it lacks.
    pub fn off(&self) -> Vec<String> {
        let off = self.wanted.iter().filter_map(|stage| {
            let lacks = self.lacks(*stage)?;
            Some(format!("{}: index {} is missing", stage.name(), lacks.join(" or ")))
        });
        off.collect()
    }
}
