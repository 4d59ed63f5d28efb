//! A transaction of a background worker that survives its errors.

use pgrx::prelude::*;

use super::ffi;
use crate::postgres::{entry, refusal};

/// An error that aborted a transaction.
pub struct Failure {
    /// Its SQLSTATE.
    pub state: String,
    /// Its message with the SQLSTATE, and its detail and hint where it has them.
    pub text: String,
}

/// Runs `body` in a transaction of its own and commits; an error, the commit's included, aborts the whole
/// transaction, which is why it may be caught here.
pub fn run<R>(activity: &str, body: impl FnOnce() -> R) -> Result<R, Failure> {
    run_as(None, activity, body)
}

/// As [`run`]; with an `owner`, no statement and no trigger of the transaction has another user.
pub fn run_as<R>(owner: Option<pg_sys::Oid>, activity: &str, body: impl FnOnce() -> R) -> Result<R, Failure> {
    let activity = std::ffi::CString::new(activity).expect("activities hold no NUL byte");
    // SAFETY: no transaction is open; each call below is the counterpart of one above it, and an error ends in the abort below.
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
