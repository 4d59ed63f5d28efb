//! The stage that queues deferred tasks.

use super::{Done, Sweep};
use crate::lifecycle::event::Call;
use crate::lifecycle::thresholds;
use crate::lifecycle::writer::Writer;
use crate::lifecycle::{promotion, rows_in_work};

impl Sweep {
    /// Queues at most a batch of deferred tasks that are due, and cancels deferred retries that are superseded.
    pub(super) fn promote(&self, writer: &mut Writer, done: &mut Done, call: &Call) {
        self.stage(done, |done| {
            let fresh = thresholds::stale_after().secs;
            let found = promotion::candidates(None, fresh, writer.exclude(), self.batch, self.now);
            let changed: i64 = writer
                .rows(&found, |piece| {
                    rows_in_work::set(piece);
                    call.part(|part| {
                        let changed = promotion::promote(piece, part);
                        rows_in_work::clear();
                        changed
                    })
                })
                .into_iter()
                .sum();
            done.repaired += changed;
            changed > 0 && found.len() as i64 >= self.batch
        });
    }
}
