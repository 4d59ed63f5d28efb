//! The thresholds in force. A setting of -1 is automatic: its value then depends on who writes the tables, because a
//! server that keeps heartbeats in Redis writes them to the table late.

use super::features::Feature;
use crate::settings;

/// The shortest time of silence, in seconds, after which a runtime may be taken for dead where a server can keep
/// heartbeats in Redis. A runtime that is alive can be silent in the table for 105 seconds.
pub const SHORTEST_BESIDE_REDIS: f64 = 150.0;

const HOUR: f64 = 3600.0;

/// A threshold in force.
#[derive(Clone, Copy)]
pub struct Threshold {
    /// Seconds.
    pub secs: f64,
    /// Why the threshold has this value, for people.
    pub source: &'static str,
}

/// Returns the setting, or the value that the tables require.
fn in_force(setting: Option<f64>, beside_redis: f64, otherwise: f64) -> Threshold {
    if let Some(secs) = setting {
        return Threshold { secs, source: "setting" };
    }
    if Feature::RedisEra.is_present() {
        let source = "automatic: tables of a server that can keep heartbeats in Redis";
        return Threshold { secs: beside_redis, source };
    }
    let source = match Feature::Own.is_present() {
        true => "automatic: tables that multica_install() made",
        false => "automatic: tables of a server that writes every heartbeat",
    };
    Threshold { secs: otherwise, source }
}

/// Returns the time without a heartbeat after which a runtime is stale.
pub fn stale_after() -> Threshold {
    in_force(settings::stale_after_secs(), SHORTEST_BESIDE_REDIS, 45.0)
}

/// Returns the time, counted from the last heartbeat, before the tasks in flight of an offline runtime are failed.
pub fn offline_grace() -> Threshold {
    in_force(settings::offline_grace_secs(), 3.0 * HOUR, 0.0)
}

/// Returns the time that a task may be queued after it could have been claimed; 0 means any time. A runtime's
/// `updated_at` must be the time at which it came online, as a server that can keep heartbeats in Redis writes it:
/// otherwise tasks would expire on a runtime that has just come back.
pub fn queued_ttl() -> Threshold {
    match Feature::RedisEra.is_present() {
        true => in_force(settings::queued_ttl_secs(), 2.0 * HOUR, 0.0),
        false => Threshold { secs: 0.0, source: "off in these tables" },
    }
}

/// Returns the time after which a sweep completes what another program left undone after it failed a task; 0 means
/// never. In other tables than a server's only this extension fails tasks.
pub fn finish_after_secs() -> f64 {
    if Feature::RedisEra.is_present() { settings::finish_after_secs() } else { 0.0 }
}
