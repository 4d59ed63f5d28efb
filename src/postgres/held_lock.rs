//! Whether this session holds a lock.

use pgrx::prelude::*;

/// Whether it holds the lock of this tag, in exactly this mode.
pub fn holds(tag: &pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE) -> bool {
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    // SAFETY: the tag is a complete one and is only read.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode)
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    // SAFETY: as above.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode, false)
    }
}

/// Whether it holds any lock on a table of this database. Postgres has a function for this only in newer minor releases.
pub fn holds_table(table: pg_sys::Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: a variable of this process, set when it connected to its database.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: table.to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    (pg_sys::AccessShareLock..=pg_sys::AccessExclusiveLock).any(|mode| holds(&tag, mode as pg_sys::LOCKMODE))
}
