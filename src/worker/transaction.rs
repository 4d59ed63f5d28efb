//! Transactions of a background worker. The process continues after an error.

use pgrx::prelude::*;

use super::ffi;
use crate::postgres::{entry, refusal};

/// An error that aborted a transaction.
pub struct Failure {
    /// Its SQLSTATE.
    pub state: String,
    /// Its message with the SQLSTATE, and its detail and hint if it has them.
    pub text: String,
}

/// Runs `body` in its own transaction and commits. An error, also of the commit, may be caught here, because it aborts
/// the whole transaction.
pub fn run<R>(activity: &str, body: impl FnOnce() -> R) -> Result<R, Failure> {
    run_as(None, activity, body)
}

/// As [`run`]; with an `owner`, every statement and every trigger of the transaction runs as this role.
pub fn run_as<R>(owner: Option<pg_sys::Oid>, activity: &str, body: impl FnOnce() -> R) -> Result<R, Failure> {
    let activity = std::ffi::CString::new(activity).expect("activities hold no NUL byte");
    // SAFETY: no transaction is open; each call below is the counterpart of one above it, and an error ends in the
    // abort below.
    let outcome = entry::catch(|| unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        let former = owner.map(ffi::become_owner);
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, activity.as_ptr());
        let result = body();
        pg_sys::PopActiveSnapshot();
        pg_sys::CommitTransactionCommand();
        if let Some(former) = former {
            ffi::back_to(former);
        }
        result
    });
    let outcome = outcome.map_err(|caught| {
        // SAFETY: the error has been caught and copied.
        unsafe { pg_sys::AbortCurrentTransaction() };
        Failure { state: refusal::sqlstate(&caught), text: refusal::describe(&caught) }
    });
    // SAFETY: no transaction is open.
    unsafe {
        pg_sys::pgstat_report_stat(true);
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
    }
    outcome
}
