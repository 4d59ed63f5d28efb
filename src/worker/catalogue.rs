//! The databases of the cluster, read by a process that is connected to none of them.

use std::ffi::CStr;

use pgrx::prelude::*;

/// One database of the cluster.
pub struct Database {
    /// Its OID.
    pub oid: pg_sys::Oid,
    /// Its name.
    pub name: String,
    /// Whether a background worker can connect to it.
    pub is_connectable: bool,
    /// Whether it is marked as a template.
    pub is_template: bool,
}

/// A database whose DROP was interrupted has this connection limit.
const INVALID_DATABASE: i32 = -2;

/// Reads all databases; must run in a transaction.
///
/// SPI and every other catalogue need a database, because the `pg_class` of each database describes its tables.
/// Postgres keeps the description of `pg_database` outside of them, because it must read `pg_database` before it
/// connects.
pub fn databases() -> Vec<Database> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    let mut databases = Vec::new();
    // SAFETY: the process is in a transaction, as the caller promises; scan and table are closed in the order of
    // nesting.
    unsafe {
        let catalogue = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let scan = pg_sys::systable_beginscan(
            catalogue,
            pg_sys::InvalidOid,
            false,
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            // SAFETY: all rows of the catalogue begin with these columns, none of which is ever NULL.
            let row = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            let name = CStr::from_ptr(row.datname.data.as_ptr());
            databases.push(Database {
                oid: row.oid,
                name: name.to_string_lossy().into_owned(),
                is_connectable: row.datallowconn && row.datconnlimit != INVALID_DATABASE,
                is_template: row.datistemplate,
            });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalogue, lock);
    }
    databases
}
