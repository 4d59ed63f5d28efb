//! Work that can be taken back: its effects are looked at, or its error is met, and then it is kept or not.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::entry::catch;
use crate::refusal::{self, Refusal};

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
    let subtransaction = Later::default();
    subtransaction.open();
    let outcome = catch(work);
    subtransaction.end(matches!(outcome, Ok((_, true))));
    match outcome {
        Ok((result, _)) => result,
        Err(caught) => caught.rethrow(),
    }
}

/// Runs `work`, which opens the subtransaction before its first write, and hands back an error that concerns single rows:
/// what was done in the subtransaction is then rolled back. All other errors go on to the caller, as do errors before the
/// subtransaction was opened. This is the only place where an error of Postgres is caught and the transaction goes on.
pub fn attempt<R>(work: impl FnOnce(&Later) -> R) -> Result<R, Refusal> {
    let subtransaction = Later::default();
    let outcome = catch(|| work(&subtransaction));
    let was_opened = subtransaction.is_open();
    subtransaction.end(outcome.is_ok());
    outcome.map_err(|caught| {
        if !was_opened {
            caught.rethrow()
        }
        refusal::of(caught).unwrap_or_else(|caught| caught.rethrow())
    })
}

/// A subtransaction that is not open yet: where there is nothing to write there is none.
#[derive(Default)]
pub struct Later {
    /// Memory context and resource owner of whoever opened it.
    outside: Cell<Option<(pg_sys::MemoryContext, pg_sys::ResourceOwner)>>,
}

impl Later {
    /// Opens it where it is not open.
    pub fn open(&self) {
        if self.is_open() {
            return;
        }
        // SAFETY: memory context and resource owner are restored as PL/pgSQL does around its exception blocks; nothing
        // that work hands on lives in memory of the subtransaction.
        unsafe {
            let outside = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
            pg_sys::BeginInternalSubTransaction(std::ptr::null());
            pg_sys::MemoryContextSwitchTo(outside.0);
            self.outside.set(Some(outside));
        }
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.outside.get().is_some()
    }

    fn end(&self, keep: bool) {
        let Some((context, owner)) = self.outside.take() else {
            return;
        };
        unsafe {
            if keep {
                pg_sys::ReleaseCurrentSubTransaction();
            } else {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        }
    }
}
