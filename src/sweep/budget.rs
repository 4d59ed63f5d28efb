//! The time that a sweep may take.

use std::time::{Duration, Instant};

use crate::settings;

/// How many rows the first piece of a stage with a budget has, because the cost of a row is not known yet.
const FIRST_PIECE: i64 = 32;

/// The time that a sweep may still take.
pub struct Budget {
    began: Instant,
    limit: Option<Duration>,
}

impl Budget {
    /// Begins a budget of multica.sweep_budget.
    pub fn begin() -> Self {
        let limit = match settings::sweep_budget_ms() {
            0 => None,
            ms => Some(Duration::from_millis(ms)),
        };
        Self { began: Instant::now(), limit }
    }

    /// Returns how long the sweep has taken.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether there is no time left.
    pub fn is_spent(&self) -> bool {
        self.limit.is_some_and(|limit| self.elapsed() >= limit)
    }

    /// Lets `work` handle `batch` rows: at once, or, if the time is limited, in pieces whose size depends on the time
    /// that the piece before took. `work` gets the number of rows and returns whether there may be more; this function
    /// returns the same.
    pub fn spend(&self, batch: i64, mut work: impl FnMut(i64) -> bool) -> bool {
        let Some(limit) = self.limit else {
            return work(batch);
        };
        let mut left = batch;
        let mut piece = FIRST_PIECE.min(batch);
        loop {
            let before = self.elapsed();
            let more = work(piece);
            left -= piece;
            let after = self.elapsed();
            let time_left = limit.saturating_sub(after).as_secs_f64();
            let fits = time_left / (after - before).as_secs_f64().max(1e-6) * piece as f64;
            if !more || left <= 0 || fits < 1.0 {
                return more;
            }
            piece = (fits as i64).min(2 * piece).min(left);
        }
    }
}
