//! Since when a runtime is there again. A task that gave no sign of life while its machine slept must not be failed for
//! it when the machine wakes up.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::features::Feature;
use super::records;
use super::writer::Writer;
use crate::postgres::statement::{Statement, arg};

static NOTE: Statement = Statement::volatile(sql!("lifecycle/runtime_return/note.sql"));
static OF_DELETED_RUNTIMES: Statement =
    Statement::volatile(sql!("lifecycle/runtime_return/of_deleted_runtimes.sql")).by_id();
static FORGET: Statement = Statement::volatile(sql!("lifecycle/runtime_return/forget.sql"));

/// Stores that the runtimes, which the caller holds, are there again.
pub fn note(runtimes: Vec<Uuid>, now: TimestampWithTimeZone) {
    if !runtimes.is_empty() && Feature::Signs.is_present() {
        NOTE.run(&[arg(runtimes), arg(now)]);
    }
}

/// Deletes what is stored about runtimes that are gone, at most `limit` rows; returns whether there may be more.
pub fn forget(limit: i64, writer: &mut Writer) -> bool {
    records::forget(&OF_DELETED_RUNTIMES, &FORGET, limit, writer)
}
