//! Work that can be rolled back. Its effects or its error decide whether it is kept.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::postgres::entry::{Caught, catch};
use crate::postgres::refusal::{self, Refusal};

/// Runs `work` in a subtransaction, rolls back all its changes to the database and returns its result.
pub fn rolled_back<R>(work: impl FnOnce() -> R) -> R {
    nested(|| (work(), false)).unwrap_or_else(|caught| caught.rethrow())
}

/// Runs `work` in a subtransaction and rolls back all its changes. Returns the error if it concerns single rows.
pub fn refused(work: impl FnOnce()) -> Option<Refusal> {
    refusal(nested(|| (work(), false))).err()
}

/// Runs `work` in a subtransaction and returns its result. If the result is true, the changes are kept; otherwise they
/// are rolled back, and the locks that `work` took are released at once.
pub fn commit_if(work: impl FnOnce() -> bool) -> bool {
    nested_if(work).unwrap_or_else(|caught| caught.rethrow())
}

/// As [`commit_if`], but returns an error that concerns single rows.
pub fn commit_if_not_refused(work: impl FnOnce() -> bool) -> Result<bool, Refusal> {
    refusal(nested_if(work))
}

fn nested_if(work: impl FnOnce() -> bool) -> Result<bool, Caught> {
    nested(|| {
        let kept = work();
        (kept, kept)
    })
}

/// Runs `work` in a subtransaction. The second value that `work` returns is whether its changes are kept. An error in
/// `work` rolls the subtransaction back before the error reaches the caller, whose exception handler would otherwise
/// roll back this subtransaction instead of its own.
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

/// Runs `work`, which opens the subtransaction before its first write, and returns an error that concerns single rows,
/// after the changes in the subtransaction are rolled back. All other errors are passed to the caller, and so are
/// errors before the subtransaction was opened. No code outside this module catches an error of Postgres and continues
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

/// A subtransaction that is opened only if there is something to write.
#[derive(Default)]
pub struct LazySubtransaction {
    /// Memory context and resource owner of the code that opened it.
    outside: Cell<Option<(pg_sys::MemoryContext, pg_sys::ResourceOwner)>>,
}

impl LazySubtransaction {
    /// Opens the subtransaction if it is not open.
    pub fn open(&self) {
        if self.is_open() {
            return;
        }
        // SAFETY: memory context and resource owner are restored as PL/pgSQL does around its exception blocks; no
        // result of the work is in memory of the subtransaction.
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
        // SAFETY: the subtransaction is the innermost one, and `outside` was recorded for it.
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
