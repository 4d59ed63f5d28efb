//! The check of `multica.stale_after`. Its range begins at -1, which means automatic, so that the range includes 0; with 0
//! every runtime would be stale.

use std::ffi::{c_int, c_void};

use pgrx::prelude::*;

/// The check hook of `multica.stale_after`. It refuses 0.
#[pg_guard]
pub unsafe extern "C-unwind" fn check(
    value: *mut c_int,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: Postgres passes the new value.
    if unsafe { *value } != 0 {
        return true;
    }
    let detail = c"The time must be longer than 0; -1 means automatic.";
    // SAFETY: Postgres reads the text while it reports that the value is refused, and resets the context after that.
    unsafe {
        pg_sys::GUC_check_errdetail_string = pg_sys::MemoryContextStrdup(pg_sys::ErrorContext, detail.as_ptr());
    }
    false
}
