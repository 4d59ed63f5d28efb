//! The callbacks that Postgres calls when the catalogue changes. They set a flag and read nothing, because Postgres also
//! calls them at points where the session cannot read the catalogue.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;

use pgrx::prelude::*;

/// The objects whose changes set the flag.
#[derive(Default)]
struct Watched {
    /// The OIDs of the tables that exist.
    tables: Vec<pg_sys::Oid>,
    /// The hash values of the names of the tables, as the cache of names computes them.
    names: Vec<u32>,
}

thread_local! {
    static STALE: Cell<bool> = const { Cell::new(true) };
    static WATCHED: RefCell<Watched> = RefCell::default();
}

/// Registers the callbacks. Must be called once, when the library is loaded.
pub fn register() {
    use pg_sys::SysCacheIdentifier::{AUTHOID, DATABASEOID, NAMESPACEOID, PROCNAMEARGSNSP, RELNAMENSP};
    let argument = pg_sys::Datum::null();
    // SAFETY: the callbacks are valid until the process ends, because Postgres never unloads a library.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(table_changed), argument);
        pg_sys::CacheRegisterSyscacheCallback(RELNAMENSP as c_int, Some(name_changed), argument);
        // A schema, its owner or its privileges; a role that becomes a superuser; the owner of the database; functions,
        // which ALTER EXTENSION … SET SCHEMA moves. Such changes are rare.
        for cache in [NAMESPACEOID, AUTHOID, DATABASEOID, PROCNAMEARGSNSP] {
            pg_sys::CacheRegisterSyscacheCallback(cache as c_int, Some(something_changed), argument);
        }
    }
}

/// Whether the catalogue must be read again.
pub fn is_stale() -> bool {
    STALE.get()
}

/// Clears the flag. Must be called before the reading, so that a change during the reading sets it again.
pub fn clear() {
    STALE.set(false);
}

/// Watches these names of relations, and no others, from now on.
pub fn watch_names(hashes: Vec<u32>) {
    WATCHED.with_borrow_mut(|watched| watched.names = hashes);
}

/// Watches these tables, and no others, from now on.
pub fn watch_tables(tables: Vec<pg_sys::Oid>) {
    WATCHED.with_borrow_mut(|watched| watched.tables = tables);
}

/// Runs after a table was altered, vacuumed, analyzed or dropped. An invalid OID means any table.
#[pg_guard]
unsafe extern "C-unwind" fn table_changed(_argument: pg_sys::Datum, table: pg_sys::Oid) {
    if table == pg_sys::InvalidOid || WATCHED.with_borrow(|watched| watched.tables.contains(&table)) {
        STALE.set(true);
    }
}

/// Runs after a row of pg_class was written. Every temporary table writes such a row, so the hash is compared with the
/// watched names. Zero means any name.
#[pg_guard]
unsafe extern "C-unwind" fn name_changed(_argument: pg_sys::Datum, _cache: c_int, hash: u32) {
    if hash == 0 || WATCHED.with_borrow(|watched| watched.names.contains(&hash)) {
        STALE.set(true);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn something_changed(_argument: pg_sys::Datum, _cache: c_int, _hash: u32) {
    STALE.set(true);
}
