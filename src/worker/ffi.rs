//! Functions for which pgrx has no bindings that a background worker can use: two signal handlers by address, and the
//! timer that Postgres itself does not start for a background worker's statements.

use std::ffi::{CStr, c_int};
use std::time::Duration;

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::prelude::*;

// SAFETY: the signatures are those of Postgres' headers, the same in 14 to 18.
unsafe extern "C-unwind" {
    fn die(signal: c_int);
    fn SignalHandlerForConfigReload(signal: c_int);
    fn enable_timeout_after(timeout: c_int, delay_ms: c_int);
    fn disable_timeout(timeout: c_int, keep_indicator: bool);
}

/// `STATEMENT_TIMEOUT` of Postgres' `utils/timeout.h`, the same number from 14 to 18.
const STATEMENT_TIMEOUT: c_int = 3;

/// Makes SIGTERM stop a running statement and SIGHUP request the configuration to be read again, then unblocks signals.
/// SIGINT keeps its handler, so that pg_cancel_backend works.
pub fn take_signals() {
    set_handler(pg_sys::SIGTERM as c_int, die);
    set_handler(pg_sys::SIGHUP as c_int, SignalHandlerForConfigReload);
    // SAFETY: the handlers are installed.
    unsafe { pg_sys::BackgroundWorkerUnblockSignals() };
}

fn set_handler(signal: c_int, handler: unsafe extern "C-unwind" fn(c_int)) {
    // SAFETY: both handlers are Postgres' own, made for this call.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        pg_sys::pqsignal(signal, Some(handler))
    };
    // SAFETY: as above.
    #[cfg(feature = "pg18")]
    unsafe {
        pg_sys::pqsignal_be(signal, Some(handler))
    };
}

/// Reads the configuration again if SIGHUP has requested that; returns whether it did.
pub fn reload_if_asked() -> bool {
    // SAFETY: the flag is one that only this process and its signal handler write; no transaction is open.
    unsafe {
        if pg_sys::ConfigReloadPending == 0 {
            return false;
        }
        pg_sys::ConfigReloadPending = 0;
        pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
    }
    true
}

/// Runs `work`, whose statements are cancelled (57014) when it takes longer than `limit`.
pub fn within<R>(limit: Duration, work: impl FnOnce() -> R) -> R {
    let milliseconds = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: the connection to a database has registered the timeout.
    unsafe { enable_timeout_after(STATEMENT_TIMEOUT, milliseconds.max(1)) };
    let result = work();
    // SAFETY: as above; the flag is written by this process and its signal handler.
    unsafe {
        disable_timeout(STATEMENT_TIMEOUT, false);
        // A cancellation that came too late for this work must not cancel the next work.
        pg_sys::QueryCancelPending = 0;
    }
    result
}

/// Sets a setting of this process, outside a transaction and permanently.
pub fn set(name: &CStr, value: &CStr) {
    // SAFETY: both texts end with a NUL byte, and Postgres copies them.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
        );
    }
}

/// Sets what autovacuum sets for itself too, because the settings of ALTER DATABASE apply to every process that
/// connects: an empty search path, in which only Postgres' own names are found, READ COMMITTED, read-write, no
/// timeouts.
pub fn set_as_autovacuum_does(name: &CStr) {
    set(c"application_name", name);
    set(c"search_path", c"");
    set(c"default_transaction_isolation", c"read committed");
    set(c"default_transaction_read_only", c"off");
    set(c"default_transaction_deferrable", c"off");
    set(c"statement_timeout", c"0");
    set(c"lock_timeout", c"0");
    set(c"idle_in_transaction_session_timeout", c"0");
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    set(c"transaction_timeout", c"0");
}

/// Sets the user of the current transaction to `owner`, and returns the previous user.
///
/// An abort restores the previous user by itself; after a commit, [`back_to`] must restore it. As in a SECURITY DEFINER
/// function, SET ROLE and SET SESSION AUTHORIZATION are refused, so a trigger cannot take the superuser back; unlike in
/// a security-restricted operation, temporary tables and deferred constraint triggers keep working.
pub fn become_owner(owner: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a transaction is open, and the pair that is changed is restored by `back_to` or by an abort.
    unsafe {
        assert!(
            pg_sys::IsTransactionState(),
            "Postgres lets no transaction begin as anybody else than the session's user"
        );
        let (mut former, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut former, &mut context);
        pg_sys::SetUserIdAndSecContext(owner, pg_sys::SECURITY_LOCAL_USERID_CHANGE as c_int);
        former
    }
}

/// Restores the user of the process after a commit. The deferred triggers of the commit must still run as the owner.
pub fn back_to(former: pg_sys::Oid) {
    // SAFETY: the user is the one that the process had.
    unsafe { pg_sys::SetUserIdAndSecContext(former, 0) };
}

/// Waits for the latch or for `limit`, whichever comes first, and then handles interrupts.
pub fn wait(limit: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    let milliseconds = std::ffi::c_long::try_from(limit.as_millis()).unwrap_or(i32::MAX.into());
    // SAFETY: the latch is that of this process.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events as c_int,
            milliseconds.min(i32::MAX.into()),
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pg_sys::check_for_interrupts!();
}

/// Returns the current time, in microseconds since Postgres' epoch.
pub fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// A background worker that this process started, and whose end is reported to this process.
pub struct Started(*mut pg_sys::BackgroundWorkerHandle);

impl Started {
    /// Registers the worker; None if the server has no slot for it.
    pub fn start(builder: BackgroundWorkerBuilder) -> Option<Self> {
        // SAFETY: a variable of this process, which only this thread writes.
        let builder = builder.set_notify_pid(unsafe { pg_sys::MyProcPid });
        let mut worker = pg_sys::BackgroundWorker::from(&builder);
        let mut handle = std::ptr::null_mut();
        // SAFETY: both pointers are to variables of this frame, and Postgres copies the worker.
        let registered = unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle) };
        registered.then(|| Self(handle))
    }

    /// Terminates the worker, whatever it is doing.
    pub fn terminate(&self) {
        // SAFETY: the handle is the one that Postgres returned; it is freed when this is dropped.
        unsafe { pg_sys::TerminateBackgroundWorker(self.0) };
    }

    /// Whether the worker has ended, or could not be started at all.
    pub fn ended(&self) -> bool {
        let mut pid = 0;
        // SAFETY: as above.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(self.0, &mut pid) };
        status == pg_sys::BgwHandleStatus::BGWH_STOPPED
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // SAFETY: the handle was allocated for this value alone, in a context that exists as long as the process.
        unsafe { pg_sys::pfree(self.0.cast()) };
    }
}
