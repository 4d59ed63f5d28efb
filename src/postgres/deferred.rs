//! Deferred constraints of users: they would fail at COMMIT, after every subtransaction, and take all along.

use std::ffi::CStr;

use pgrx::prelude::*;

use crate::postgres::statement::{self, Statement};
use crate::postgres::subtransaction;

static DEFERRABLE: Statement = Statement::volatile(sql!("postgres/deferred/deferrable.sql")).of_whole_tables();

const CHECK: &str = sql!("postgres/deferred/check.sql");

/// Whether the caller's transaction has deferred work already, for which no row of ours may be blamed. Nothing is
/// deferred without a row written, and no row is written without a transaction id.
pub fn is_pending_before() -> bool {
    // SAFETY: a variable of this process, which only this thread writes.
    let wrote = unsafe { pg_sys::GetTopTransactionIdIfAny() } != pg_sys::InvalidTransactionId;
    wrote && is_pending()
}

/// Checks now what is deferred, and raises what COMMIT would raise. The check is taken back, so that everything is as
/// deferred as it was: SET CONSTRAINTS would otherwise hold for the rest of the caller's transaction.
pub fn check() {
    if is_pending() {
        check_all();
    }
}

/// As [`check`] where nothing but this table, which is in the search path, was written: looking through the triggers of
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
    // SAFETY: reads the queue of triggers of this transaction, for whatever OID.
    tables.into_iter().any(|table| unsafe { pg_sys::AfterTriggerPendingOnRel(table) })
}
