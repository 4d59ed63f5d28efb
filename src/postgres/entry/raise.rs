//! Writes the fields of an error over the error that pgrx reports.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use pgrx::pg_sys;

use super::layer::Fields;

// Setters in Postgres' elog.c for the error that is being raised. Postgres exports them, but pgrx has no bindings for
// them.
// SAFETY: the signatures are those of Postgres' elog.h, the same in 14 to 18.
unsafe extern "C-unwind" {
    fn errcode(code: c_int) -> c_int;
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errdetail_internal(format: *const c_char, ...) -> c_int;
    fn errdetail_log(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn errcontext_msg(format: *const c_char, ...) -> c_int;
    fn errposition(position: c_int) -> c_int;
    fn err_generic_string(field: c_int, text: *const c_char) -> c_int;
    fn internalerrquery(query: *const c_char) -> c_int;
    fn internalerrposition(position: c_int) -> c_int;
}

thread_local! {
    static PENDING: Cell<*mut pg_sys::ErrorData> = const { Cell::new(null_mut()) };
    static CONTEXT: Cell<pg_sys::ErrorContextCallback> = const {
        Cell::new(pg_sys::ErrorContextCallback {
            previous: null_mut(),
            callback: Some(put_back),
            arg: null_mut(),
        })
    };
}

/// Gives these fields to the error that is reported next. Must be called directly before the unwinding that pgrx
/// reports.
pub fn put_back_later(fields: Fields) {
    CONTEXT.with(|context| {
        let context = context.as_ptr();
        // SAFETY: the context exists as long as the process. The code that catches the error restores the stack as it
        // was before the call.
        unsafe {
            (*context).previous = pg_sys::error_context_stack;
            pg_sys::error_context_stack = context;
        }
    });
    PENDING.set(fields.into_raw());
}

unsafe extern "C-unwind" fn put_back(_: *mut c_void) {
    let data = PENDING.replace(null_mut());
    // SAFETY: Postgres calls this while it raises the error that pgrx reports, and each field is null or a text that
    // belongs to `data`.
    unsafe {
        let Some(fields) = data.as_ref() else { return };
        errcode(fields.sqlerrcode);
        for (set, field) in [
            (errmsg_internal as Set, fields.message),
            (errdetail_internal, fields.detail),
            (errdetail_log, fields.detail_log),
            (errhint, fields.hint),
            (errcontext_msg, fields.context),
        ] {
            if !field.is_null() {
                set(c"%s".as_ptr(), field);
            }
        }
        for (name, field) in [
            (pg_sys::PG_DIAG_SCHEMA_NAME, fields.schema_name),
            (pg_sys::PG_DIAG_TABLE_NAME, fields.table_name),
            (pg_sys::PG_DIAG_COLUMN_NAME, fields.column_name),
            (pg_sys::PG_DIAG_DATATYPE_NAME, fields.datatype_name),
            (pg_sys::PG_DIAG_CONSTRAINT_NAME, fields.constraint_name),
        ] {
            if !field.is_null() {
                err_generic_string(name as c_int, field);
            }
        }
        if !fields.internalquery.is_null() {
            internalerrquery(fields.internalquery);
            internalerrposition(fields.internalpos);
        }
        if fields.cursorpos > 0 {
            errposition(fields.cursorpos);
        }
        Fields::free(data);
    }
}

/// A setter of a text field.
type Set = unsafe extern "C-unwind" fn(*const c_char, ...) -> c_int;
