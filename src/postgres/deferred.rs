//! Early checks of the users' deferred constraints. At COMMIT, outside every subtransaction, their error would roll
//! back the whole transaction.

use std::ffi::CStr;

use pgrx::prelude::*;

use crate::postgres::statement::{self, Statement};
use crate::postgres::subtransaction;

static DEFERRABLE: Statement = Statement::volatile(sql!("postgres/deferred/deferrable.sql")).of_whole_tables();

const CHECK: &str = sql!("postgres/deferred/check.sql");

/// Whether the caller's transaction has already deferred work. An error of that work must not be attributed to a row
/// that this extension writes. A transaction without an id has written no row, so that it has deferred nothing.
pub fn is_pending_before() -> bool {
    // SAFETY: a variable of this process, which only this thread writes.
    let wrote = unsafe { pg_sys::GetTopTransactionIdIfAny() } != pg_sys::InvalidTransactionId;
    wrote && is_pending()
}

/// Checks the deferred constraints now and raises the error that COMMIT would raise. The check is rolled back, because
/// SET CONSTRAINTS would otherwise stay in force for the rest of the caller's transaction.
pub fn check() {
    if is_pending() {
        check_all();
    }
}

/// As [`check`], for a call that wrote only this table, which must be in the search path. A search for the triggers of
/// the whole database would take longer than the write.
pub fn check_of(table: &CStr) {
    // SAFETY: the name ends with a NUL byte; an OID of no table has no triggers.
    let is_pending = unsafe { pg_sys::AfterTriggerPendingOnRel(pg_sys::RelnameGetRelid(table.as_ptr())) };
    if is_pending {
        check_all();
    }
}

fn check_all() {
    subtransaction::rolled_back(|| statement::script(CHECK, None));
}

fn is_pending() -> bool {
    let tables: Vec<pg_sys::Oid> = DEFERRABLE.rows(&[], |row| row.must(1));
    // SAFETY: the function only reads the queue of triggers of this transaction and accepts any OID.
    tables.into_iter().any(|table| unsafe { pg_sys::AfterTriggerPendingOnRel(table) })
}
