//! The rows that this session is working on, for blame after an error.
//!
//! An error ends the transaction and does not name the row that was refused. Every step that writes rows of a batch
//! therefore calls [`set`] with them before it writes, and [`clear`] before it writes something that is no row of the
//! batch, such as events. After an error, once the transaction is rolled back, the worker calls [`take`]: the row that
//! could not be written is one of these.

use std::cell::RefCell;

use pgrx::Uuid;

thread_local! {
    static IN_WORK: RefCell<Vec<Uuid>> = const { RefCell::new(Vec::new()) };
}

/// The rows that are written from here on.
pub fn set(rows: &[Uuid]) {
    IN_WORK.set(rows.to_vec());
}

/// From here on no row is to blame for an error.
pub fn clear() {
    IN_WORK.set(Vec::new());
}

/// The rows of the last [`set`]; none after [`clear`].
pub fn take() -> Vec<Uuid> {
    IN_WORK.take()
}
