//! What Postgres reports of changes of the catalogue. The callbacks set flags and read nothing: they run in the middle
//! of whatever the session does, also where the catalogue cannot be read.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;

use pgrx::prelude::*;

/// What has to be read again: a bit per table, by its place, and one for the names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stale(u64);

impl Stale {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// Whether the names of tables and functions belong to objects, and to which.
    pub const NAMES: Self = Self(1 << 63);
    /// Everything: no session has read anything yet, or reports were lost.
    const ALL: Self = Self(u64::MAX);
    /// The most tables that can be watched.
    pub const TABLES: usize = 63;

    /// The table at this place.
    pub const fn table(place: usize) -> Self {
        Self(1 << place)
    }

    /// What is in one of the two.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one and not in the other.
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The objects of which changes are reported.
#[derive(Default)]
struct Watched {
    /// The tables by place; invalid for one that does not exist.
    tables: Vec<pg_sys::Oid>,
    /// The hash values of the names of relations in the cache of names.
    names: Vec<u32>,
}

thread_local! {
    static STALE: Cell<Stale> = const { Cell::new(Stale::ALL) };
    static WATCHED: RefCell<Watched> = RefCell::default();
}

/// Has Postgres report changes. Must be called once, when the library is loaded.
pub fn register() {
    let argument = pg_sys::Datum::null();
    // SAFETY: the callbacks live as long as the process, and a library is never unloaded.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(table_changed), argument);
        let names = pg_sys::SysCacheIdentifier::RELNAMENSP as c_int;
        pg_sys::CacheRegisterSyscacheCallback(names, Some(name_changed), argument);
        let functions = pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as c_int;
        pg_sys::CacheRegisterSyscacheCallback(functions, Some(function_changed), argument);
    }
}

/// What has to be read again.
pub fn stale() -> Stale {
    STALE.get()
}

/// Clears flags. To be called before what they stand for is read: a change that is reported meanwhile sets them again.
pub fn clear(flags: Stale) {
    STALE.set(STALE.get().difference(flags));
}

/// Sets flags.
pub fn set(flags: Stale) {
    STALE.set(STALE.get().union(flags));
}

/// Watches these names of relations from now on.
pub fn watch_names(hashes: Vec<u32>) {
    WATCHED.with_borrow_mut(|watched| watched.names = hashes);
}

/// Watches these tables from now on.
pub fn watch_tables(tables: Vec<pg_sys::Oid>) {
    WATCHED.with_borrow_mut(|watched| watched.tables = tables);
}

/// A table was altered, vacuumed, analyzed or dropped; without an OID, any.
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

/// A row of pg_class was written: the hash tells the names apart, because every VACUUM and each temporary table writes
/// one. Zero stands for any.
#[pg_guard]
unsafe extern "C-unwind" fn name_changed(_argument: pg_sys::Datum, _cache: c_int, hash: u32) {
    if hash == 0 || WATCHED.with_borrow(|watched| watched.names.contains(&hash)) {
        set(Stale::NAMES);
    }
}

/// A function was created, altered or dropped. ALTER EXTENSION … SET SCHEMA moves functions, so that every change of
/// one is a reason to look up the schema; they are rare.
#[pg_guard]
unsafe extern "C-unwind" fn function_changed(_argument: pg_sys::Datum, _cache: c_int, _hash: u32) {
    set(Stale::NAMES);
}
