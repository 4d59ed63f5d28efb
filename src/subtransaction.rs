//! The one subtransaction of the extension: work whose effects are looked at and then taken back.

use std::panic::AssertUnwindSafe;

use pgrx::prelude::*;

/// Runs `work` in a subtransaction, rolls back whatever it did to the database and hands on what it found out. An error
/// in it rolls the subtransaction back too before it goes on to the caller, whose own exception handler would otherwise
/// take back this subtransaction in place of its own.
pub fn undone<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: memory context and resource owner are restored as PL/pgSQL does around its exception blocks; nothing that
    // `work` returns lives in memory of the subtransaction.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    let roll_back = move || unsafe {
        pg_sys::RollbackAndReleaseCurrentSubTransaction();
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    };
    unsafe {
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
    }
    PgTryBuilder::new(AssertUnwindSafe(work))
        .finally(roll_back)
        .execute()
}
