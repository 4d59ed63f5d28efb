//! What a snapshot shows of other transactions.

use pgrx::prelude::*;

/// Returns how many transactions with an id have ended in this cluster since it started. While the number does not
/// change, two statements of a transaction see the same changes of other transactions.
pub fn ended_transactions() -> u64 {
    unsafe {
        // SAFETY: the snapshot is Postgres' own, and is read before anything can take another one.
        (*pg_sys::GetLatestSnapshot()).snapXactCompletionCount
    }
}
