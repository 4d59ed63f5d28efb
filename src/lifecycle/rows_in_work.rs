//! The rows that this session is working on. After an error, the cause is one of them.
//!
//! An error ends the transaction and does not name the row that was refused. Every step that writes rows of a batch
//! therefore calls [`set`] with these rows before it writes, and [`clear`] before it writes something that is not a row
//! of the batch, such as events. After an error and the rollback of the transaction, the worker calls [`take`]. The row
//! that could not be written is one of the rows that it returns.

use std::cell::RefCell;

use pgrx::Uuid;

thread_local! {
    static IN_WORK: RefCell<Vec<Uuid>> = const { RefCell::new(Vec::new()) };
}

/// Sets the rows that are written from here on.
pub fn set(rows: &[Uuid]) {
    IN_WORK.set(rows.to_vec());
}

/// Sets that no row of the batch is the cause of an error from here on.
pub fn clear() {
    IN_WORK.set(Vec::new());
}

/// Returns the rows of the last [`set`]; none after [`clear`].
pub fn take() -> Vec<Uuid> {
    IN_WORK.take()
}
