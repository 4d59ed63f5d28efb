//! The stage that queues deferred tasks.

use super::{Done, Sweep};
use crate::lifecycle::event::Call;
use crate::lifecycle::writer::Writer;
use crate::lifecycle::{promotion, thresholds};

impl Sweep {
    /// Queues at most a batch of deferred tasks that are due, and cancels deferred retries that are superseded.
    pub(super) fn promote(&self, writer: &mut Writer, done: &mut Done, call: &Call) {
        self.stage(done, |done| {
            let fresh = thresholds::stale_after().secs;
            let found = promotion::candidates(None, fresh, writer.exclude(), self.batch, self.now);
            let changed: i64 = writer.parts(&found, call, promotion::promote).into_iter().sum();
            done.repaired += changed;
            changed > 0 && found.len() as i64 >= self.batch
        });
    }
}
