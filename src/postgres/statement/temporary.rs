//! A statement must not read or write a temporary relation. The search path of the functions ends with `pg_temp`, so that
//! a name that is missing in the schema of the extension could be found there. A session can make temporary tables, and
//! their defaults, triggers and rules would run as the role that the call acts as.

use std::ffi::{CStr, c_void};

use pgrx::prelude::*;
use pgrx::{PgList, is_a};

use crate::error::{Error, Word};
use crate::postgres::tree::{walk_expression, walk_query};

/// Raises an error (55000) if a query that is about to be planned names a temporary relation. Until a query is planned,
/// nothing of it is evaluated.
///
/// # Safety
/// The query must be a valid one.
pub unsafe fn refuse(query: *mut pg_sys::Query) {
    let mut found = pg_sys::InvalidOid;
    // SAFETY: as the caller promises.
    unsafe { find(query.cast(), (&raw mut found).cast()) };
    if found != pg_sys::InvalidOid {
        // SAFETY: Postgres returns a name, because the query holds a lock on the relation.
        let name = unsafe { CStr::from_ptr(pg_sys::get_rel_name(found)) };
        Error::state(
            Word::InstallNeeded,
            "the tables of multica are missing or too old",
            format!("\"{}\" is a temporary relation of this session.", name.to_string_lossy()),
            "Run SELECT * FROM multica_install();",
        )
        .raise()
    }
}

/// Finds a temporary relation in a query and in all its subqueries. After the rewriting, a view is a subquery; up to
/// Postgres 15 its own list of relations contains the view, and from 16 on the subquery has the OID of the view.
unsafe extern "C-unwind" fn find(node: *mut pg_sys::Node, found: *mut c_void) -> bool {
    // SAFETY: Postgres passes nodes of the query, and the OID that `refuse` passed to the walker.
    unsafe {
        if node.is_null() {
            return false;
        }
        if !is_a(node, pg_sys::NodeTag::T_Query) {
            return walk_expression(node, find, found);
        }
        let query = node.cast::<pg_sys::Query>();
        let entries = PgList::<pg_sys::RangeTblEntry>::from_pg((*query).rtable);
        let relations = entries.iter_ptr().map(|entry| (*entry).relid).filter(|oid| *oid != pg_sys::InvalidOid);
        let is_temporary = |oid: &pg_sys::Oid| pg_sys::isAnyTempNamespace(pg_sys::get_rel_namespace(*oid));
        if let Some(oid) = relations.into_iter().find(is_temporary) {
            *found.cast::<pg_sys::Oid>() = oid;
            return true;
        }
        walk_query(query, find, found, 0)
    }
}
