//! Computes when a database is due again, from the report of its last pass.

use super::shared::{Micros, Report};

/// The shortest time after which an expiry makes a database due again. If another worker is at work there, the database
/// is due again after at most four times as long.
const LEAST_PAUSE: i64 = 250_000;

/// The longest pause of a failing database, unless the interval is longer.
const LONGEST_BACK_OFF: i64 = 600_000_000;

/// Returns the moment at which a database whose pass began at `started` and ended as `report` is due again; `failures`
/// counts this pass too, if it failed.
pub fn next_due(report: Report, started: Micros, now: Micros, interval: i64, failures: u32) -> Micros {
    let ticker = now.max(started.saturating_add(interval));
    match report {
        Report::Swept { more: true, .. } => now,
        Report::Swept { expiry, .. } => {
            expiry.map_or(ticker, |expiry| ticker.min(expiry.max(now.saturating_add(LEAST_PAUSE))))
        }
        Report::Busy => now.saturating_add(interval.min(4 * LEAST_PAUSE)),
        Report::Impossible(_) => ticker,
        Report::Failed => now.saturating_add(back_off(interval, failures)),
    }
}

/// Returns the pause, in microseconds, after this number of failures in a row.
pub fn back_off(interval: i64, failures: u32) -> i64 {
    let doublings = failures.saturating_sub(1).min(20);
    interval.saturating_mul(1 << doublings).min(LONGEST_BACK_OFF.max(interval))
}
