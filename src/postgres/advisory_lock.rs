//! Advisory locks that this transaction holds.

use pgrx::prelude::*;

/// Whether this transaction still holds the shared lock that keeps readers below the event id `floor`.
pub fn holds_event_lock(floor: i64) -> bool {
    /// Marks the extension's locks among all advisory ones, as in `sql/lifecycle/event/hold.sql`.
    const MARK: i64 = 28003 << 48;
    /// The highest id that has a lock of its own.
    const LAST: i64 = (1 << 53) - 1;
    let key = MARK + floor.min(LAST);
    let tag = pg_sys::LOCKTAG {
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (key >> 32) as u32,
        locktag_field3: key as u32,
        locktag_field4: 1,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    };
    let mode = pg_sys::ShareLock as i32;
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    unsafe {
        pg_sys::LockHeldByMe(&tag, mode)
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    unsafe {
        pg_sys::LockHeldByMe(&tag, mode, false)
    }
}
