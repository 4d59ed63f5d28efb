//! Whether this session holds a lock.

use pgrx::prelude::*;

/// Whether this session holds the lock of this tag in exactly this mode.
pub fn holds(tag: &pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE) -> bool {
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    // SAFETY: the tag is complete, and Postgres only reads it.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode)
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    // SAFETY: as above.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode, false)
    }
}

/// Whether this session holds any lock on a table of this database. Only newer minor releases of Postgres have a
/// function for this.
pub fn holds_table(table: pg_sys::Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: the process sets this variable once, when it connects to a database.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: table.to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    (pg_sys::AccessShareLock..=pg_sys::AccessExclusiveLock).any(|mode| holds(&tag, mode as pg_sys::LOCKMODE))
}
