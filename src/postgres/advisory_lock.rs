//! The advisory locks of the extension.

use pgrx::prelude::*;

use crate::postgres::held_lock;
use crate::postgres::statement::{Statement, arg};

static ONE_AT_A_TIME: Statement = Statement::volatile(sql!("postgres/advisory_lock/one_at_a_time.sql"));

/// The lowest key of an advisory lock of the extension. Only the extension uses the keys from this one to [`LAST_KEY`].
pub const FIRST_KEY: i64 = 28003 << 48;

/// The highest key of an advisory lock of the extension. One key exists per event id.
pub const LAST_KEY: i64 = FIRST_KEY + LAST_ID;

/// The highest id of an event. JSON does not keep larger numbers exactly, and each id has its own lock.
pub const LAST_ID: i64 = (1 << 53) - 1;

/// Whether this transaction still holds the shared lock that keeps readers below the event id `floor`.
pub fn holds_event_lock(floor: i64) -> bool {
    let key = FIRST_KEY + floor.min(LAST_ID);
    let tag = pg_sys::LOCKTAG {
        // SAFETY: a variable of this process, set when it connected to its database.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (key >> 32) as u32,
        locktag_field3: key as u32,
        locktag_field4: 1,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    };
    held_lock::holds(&tag, pg_sys::ShareLock as pg_sys::LOCKMODE)
}

/// Waits until no other session installs or grants, and makes other sessions wait until this transaction ends.
pub fn one_at_a_time(extension: pg_sys::Oid) {
    ONE_AT_A_TIME.run(&[arg(extension)]);
}
