//! Sends a notification when a transaction that recorded events commits.
//!
//! The NOTIFY is sent by the commit itself, because a transaction that has executed NOTIFY cannot be prepared (0A000).

use std::cell::Cell;
use std::ffi::c_void;

use pgrx::prelude::*;
use pgrx::{IntoDatum, direct_function_call_as_datum};

/// No subtransaction has this id.
const NONE: pg_sys::SubTransactionId = 0;

thread_local! {
    /// The outermost subtransaction whose end still decides whether the events exist at commit.
    static RECORDED_IN: Cell<pg_sys::SubTransactionId> = const { Cell::new(NONE) };
}

/// Sends NOTIFY multica_events if this transaction commits, unless the current savepoint is rolled back.
pub fn at_commit() {
    if RECORDED_IN.get() == NONE {
        // SAFETY: a function of the extension runs in a transaction.
        RECORDED_IN.set(unsafe { pg_sys::GetCurrentSubTransactionId() });
    }
}

/// Registers this module's callbacks for the ends of transactions. Must be called once, when the library is loaded.
pub fn register() {
    // SAFETY: both callbacks exist as long as the library, which is never unloaded, and use no argument.
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(at_end_of_savepoint), std::ptr::null_mut());
    }
}

/// Postgres puts notifications into its queue after this callback. A prepared transaction sends no notification,
/// because the session that commits it later does not know of its events.
#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    let recorded = RECORDED_IN.replace(NONE) != NONE;
    if recorded && event == pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT {
        let arguments = ["multica_events".into_datum(), "".into_datum()];
        // SAFETY: pg_notify takes two texts and accesses no other argument.
        unsafe { direct_function_call_as_datum(pg_sys::pg_notify, &arguments) };
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end_of_savepoint(
    event: pg_sys::SubXactEvent::Type,
    ended: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    if RECORDED_IN.get() != ended {
        return;
    }
    match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => RECORDED_IN.set(parent),
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => RECORDED_IN.set(NONE),
        _ => (),
    }
}
