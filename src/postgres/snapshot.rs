//! What snapshots tell of other transactions.

use pgrx::prelude::*;

/// How many transactions that had an id have ended in this cluster since it started. While the number is the same, two
/// statements of a transaction see the same of all others.
pub fn ended_transactions() -> u64 {
    unsafe {
        // SAFETY: the snapshot is Postgres' own, and is read before anything can take another one.
        (*pg_sys::GetLatestSnapshot()).snapXactCompletionCount
    }
}
