//! The event log. An event is recorded in the transaction of the change, so that no reader misses an event.

mod call;
mod log;
pub mod notification;
mod record;
mod task_snapshot;
mod trim;

use crate::postgres::advisory_lock::{FIRST_KEY, LAST_KEY};
use crate::postgres::statement::{Statement, arg};

pub use call::{Call, call, sweep};
pub use log::{Asker, Log, Repair, ensure_next_id, lock_state, repair};
pub use record::hold_back_readers;
pub use task_snapshot::TaskSnapshot;
pub use trim::trim;

static LOWEST_HELD: Statement = Statement::volatile(sql!("lifecycle/event/lowest_held.sql"));

/// Returns the id up to which no open transaction can still commit an event; None if no open transaction can commit any
/// event.
pub fn lowest_held() -> Option<i64> {
    LOWEST_HELD.row(&[arg(FIRST_KEY), arg(LAST_KEY)], |row| row.get(1)).flatten()
}
