//! Work that can be taken back: its effects are looked at, or its error is met, and then it is kept or not.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::postgres::entry::{Caught, catch};
use crate::postgres::refusal::{self, Refusal};

/// Runs `work` in a subtransaction, rolls back whatever it did to the database and hands on what it found out.
pub fn rolled_back<R>(work: impl FnOnce() -> R) -> R {
    nested(|| (work(), false)).unwrap_or_else(|caught| caught.rethrow())
}

/// Runs `work` in a subtransaction and rolls back whatever it did; returns an error that concerns single rows.
pub fn refused(work: impl FnOnce()) -> Option<Refusal> {
    refusal(nested(|| (work(), false))).err()
}

/// Runs `work` in a subtransaction and keeps what it did if it returns true; otherwise all is rolled back, the locks it
/// took given up at once. Hands its answer on.
pub fn commit_if(work: impl FnOnce() -> bool) -> bool {
    nested_if(work).unwrap_or_else(|caught| caught.rethrow())
}

/// As [`commit_if`], and hands back an error that concerns single rows.
pub fn commit_if_not_refused(work: impl FnOnce() -> bool) -> Result<bool, Refusal> {
    refusal(nested_if(work))
}

fn nested_if(work: impl FnOnce() -> bool) -> Result<bool, Caught> {
    nested(|| {
        let kept = work();
        (kept, kept)
    })
}

/// The second value that `work` returns is whether what it did is kept. An error in it rolls the subtransaction back
/// before it reaches the caller, whose own exception handler would otherwise take back this subtransaction in place of
/// its own.
fn nested<R>(work: impl FnOnce() -> (R, bool)) -> Result<R, Caught> {
    let subtransaction = LazySubtransaction::default();
    subtransaction.open();
    let outcome = catch(work);
    subtransaction.end(matches!(outcome, Ok((_, true))));
    outcome.map(|(result, _)| result)
}

/// Errors that do not concern single rows are passed to the caller.
fn refusal<R>(outcome: Result<R, Caught>) -> Result<R, Refusal> {
    outcome.map_err(|caught| refusal::of(caught).unwrap_or_else(|caught| caught.rethrow()))
}

/// Runs `work`, which opens the subtransaction before its first write, and hands back an error that concerns single
/// rows: what was done in the subtransaction is then rolled back. All other errors are passed to the caller, and so are
/// errors before the subtransaction was opened. Nothing outside this module catches an error of Postgres and continues
/// in the transaction.
pub fn attempt<R>(work: impl FnOnce(&LazySubtransaction) -> R) -> Result<R, Refusal> {
    let subtransaction = LazySubtransaction::default();
    let outcome = catch(|| work(&subtransaction));
    let was_opened = subtransaction.is_open();
    subtransaction.end(outcome.is_ok());
    match outcome {
        Err(caught) if !was_opened => caught.rethrow(),
        outcome => refusal(outcome),
    }
}

/// A subtransaction that is not open yet: where there is nothing to write there is none.
#[derive(Default)]
pub struct LazySubtransaction {
    /// Memory context and resource owner of the code that opened it.
    outside: Cell<Option<(pg_sys::MemoryContext, pg_sys::ResourceOwner)>>,
}

impl LazySubtransaction {
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
        // SAFETY: the subtransaction is the one that `outside` was remembered for, and the innermost one.
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
