//! The callbacks that Postgres calls when the catalogue changes. They set flags and read nothing, because Postgres also
//! calls them at points where the session cannot read the catalogue.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;

use pgrx::prelude::*;

/// What must be read again: one bit per table, at the table's place, and one bit for the names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stale(u64);

impl Stale {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// The names must be looked up again: whether tables and functions exist, and the OIDs of the tables.
    pub const NAMES: Self = Self(1 << 63);
    /// Everything, because the session has read nothing yet or reports were lost.
    const ALL: Self = Self(u64::MAX);
    /// The maximum number of tables that can be watched.
    pub const TABLES: usize = 63;

    /// The table at this place must be read again.
    pub const fn table(place: usize) -> Self {
        Self(1 << place)
    }

    /// The flags that are in at least one of the two.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags that are in both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The flags that are in this value and not in the other.
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The objects whose changes set flags.
#[derive(Default)]
struct Watched {
    /// The OIDs of the tables, by place; invalid for a table that does not exist.
    tables: Vec<pg_sys::Oid>,
    /// The hash values of the names of relations, as the cache of names computes them.
    names: Vec<u32>,
}

thread_local! {
    static STALE: Cell<Stale> = const { Cell::new(Stale::ALL) };
    static WATCHED: RefCell<Watched> = RefCell::default();
}

/// Registers the callbacks. Must be called once, when the library is loaded.
pub fn register() {
    let argument = pg_sys::Datum::null();
    // SAFETY: the callbacks are valid until the process ends, because Postgres never unloads a library.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(table_changed), argument);
        let names = pg_sys::SysCacheIdentifier::RELNAMENSP as c_int;
        pg_sys::CacheRegisterSyscacheCallback(names, Some(name_changed), argument);
        let functions = pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as c_int;
        pg_sys::CacheRegisterSyscacheCallback(functions, Some(function_changed), argument);
    }
}

/// Returns what must be read again.
pub fn stale() -> Stale {
    STALE.get()
}

/// Clears flags. Must be called before the reading, so that a change during the reading sets them again.
pub fn clear(flags: Stale) {
    STALE.set(STALE.get().difference(flags));
}

/// Sets flags.
pub fn set(flags: Stale) {
    STALE.set(STALE.get().union(flags));
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
    if table == pg_sys::InvalidOid {
        return set(Stale::ALL);
    }
    WATCHED.with_borrow(|watched| {
        if let Some(place) = watched.tables.iter().position(|watched| *watched == table) {
            set(Stale::table(place));
        }
    });
}

/// Runs after a row of pg_class was written. Every VACUUM and every temporary table writes such a row, so the hash is
/// compared with the watched names. Zero means any name.
#[pg_guard]
unsafe extern "C-unwind" fn name_changed(_argument: pg_sys::Datum, _cache: c_int, hash: u32) {
    if hash == 0 || WATCHED.with_borrow(|watched| watched.names.contains(&hash)) {
        set(Stale::NAMES);
    }
}

/// Runs after a function was created, altered or dropped. ALTER EXTENSION … SET SCHEMA moves functions, so the schema
/// is looked up again after every change of a function. Such changes are rare.
#[pg_guard]
unsafe extern "C-unwind" fn function_changed(_argument: pg_sys::Datum, _cache: c_int, _hash: u32) {
    set(Stale::NAMES);
}
