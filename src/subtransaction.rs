//! Work that can be taken back without an error: its effects are looked at, and then kept or not.

use pgrx::prelude::*;

use crate::entry::catch;

/// Runs `work` in a subtransaction, rolls back whatever it did to the database and hands on what it found out.
pub fn undone<R>(work: impl FnOnce() -> R) -> R {
    nested(|| (work(), false))
}

/// Runs `work` in a subtransaction and keeps what it did where it says true; otherwise all is rolled back, the locks it
/// took given up at once. Hands its answer on.
pub fn kept_if(work: impl FnOnce() -> bool) -> bool {
    nested(|| {
        let kept = work();
        (kept, kept)
    })
}

/// The second value of `work` says whether what it did is kept. An error in it rolls the subtransaction back before it
/// goes on to the caller, whose own exception handler would otherwise take back this subtransaction in place of its own.
fn nested<R>(work: impl FnOnce() -> (R, bool)) -> R {
    // SAFETY: memory context and resource owner are restored as PL/pgSQL does around its exception blocks; nothing that
    // `work` returns lives in memory of the subtransaction.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    unsafe {
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
    }
    let outcome = catch(work);
    unsafe {
        if matches!(outcome, Ok((_, true))) {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    match outcome {
        Ok((result, _)) => result,
        Err(caught) => caught.rethrow(),
    }
}
