//! The thresholds of one sweep.

use crate::lifecycle::thresholds;
use crate::settings;

/// How long a deferred retry waits for its runtime where the grace is 0.
const SHORTEST_RECONNECT_GRACE: f64 = 3.0 * 3600.0;

/// Times, in seconds, after which a sweep acts.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Without a heartbeat, until a runtime is stale.
    pub stale: f64,
    /// Without a heartbeat, until the tasks in flight of an offline runtime are failed.
    pub grace: f64,
    /// Dispatched and not started.
    pub dispatch: f64,
    /// Running.
    pub running: f64,
    /// Not named by its daemon; 0 means for any time.
    pub lost: f64,
    /// Running without a sign of life, after one; 0 means for any time.
    pub idle: f64,
    /// Queued; 0 means for any time.
    pub queued_ttl: f64,
    /// After another program failed a task; 0 means never.
    pub finish_after: f64,
}

impl Limits {
    /// Returns what is in force. `stale`: what the caller gives instead of the setting.
    pub fn in_force(stale: Option<f64>) -> Self {
        Self {
            stale: stale.unwrap_or_else(|| thresholds::stale_after().secs),
            grace: thresholds::offline_grace().secs,
            dispatch: settings::dispatch_timeout_secs(),
            running: settings::running_timeout_secs(),
            lost: settings::lost_after_secs(),
            idle: settings::idle_timeout_secs(),
            queued_ttl: thresholds::queued_ttl().secs,
            finish_after: thresholds::finish_after_secs(),
        }
    }

    /// Returns how long a deferred retry waits for its runtime, counted from `fire_at`. Without a grace, a retry must
    /// not expire as soon as it may be queued.
    pub fn reconnect_grace(&self) -> f64 {
        if self.grace > 0.0 { self.grace } else { SHORTEST_RECONNECT_GRACE }
    }

    /// Returns the time without a heartbeat after which a runtime is gone, whatever its status says.
    pub fn gone(&self) -> f64 {
        self.stale.max(self.grace)
    }
}
