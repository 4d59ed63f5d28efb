//! The system caches, in which Postgres keeps rows of its catalogue. They are current whatever the transaction's snapshot
//! is.

use std::ffi::c_int;
use std::marker::PhantomData;

use pgrx::prelude::*;

/// The struct of Postgres for the rows of a table of its catalogue.
///
/// # Safety
/// Every row of the cache must begin with the columns of the struct, and the OID must be the only key of the cache.
pub unsafe trait Columns {
    /// The cache of the table.
    const CACHE: pg_sys::SysCacheIdentifier::Type;
}

// SAFETY: the cache has the rows of pg_class, by OID.
unsafe impl Columns for pg_sys::FormData_pg_class {
    const CACHE: pg_sys::SysCacheIdentifier::Type = pg_sys::SysCacheIdentifier::RELOID;
}

// SAFETY: the cache has the rows of pg_index, by the OID of the index.
unsafe impl Columns for pg_sys::FormData_pg_index {
    const CACHE: pg_sys::SysCacheIdentifier::Type = pg_sys::SysCacheIdentifier::INDEXRELID;
}

// SAFETY: the cache has the rows of pg_namespace, by OID.
unsafe impl Columns for pg_sys::FormData_pg_namespace {
    const CACHE: pg_sys::SysCacheIdentifier::Type = pg_sys::SysCacheIdentifier::NAMESPACEOID;
}

// SAFETY: the cache has the rows of pg_database, by OID.
unsafe impl Columns for pg_sys::FormData_pg_database {
    const CACHE: pg_sys::SysCacheIdentifier::Type = pg_sys::SysCacheIdentifier::DATABASEOID;
}

/// A row of a system cache, which is released when the value is dropped.
pub struct SystemCacheRow<T> {
    row: pg_sys::HeapTuple,
    columns: PhantomData<T>,
}

impl<T: Columns> SystemCacheRow<T> {
    /// Finds a row by its OID. Must be called in a transaction.
    pub fn find(oid: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the OID is the only key of the cache.
        let row = unsafe { pg_sys::SearchSysCache1(T::CACHE as c_int, pg_sys::Datum::from(oid)) };
        if row.is_null() {
            return None;
        }
        Some(Self { row, columns: PhantomData })
    }

    /// Returns the columns of the struct.
    pub fn columns(&self) -> &T {
        // SAFETY: the row begins with these columns, and is valid until it is released.
        unsafe { &*pg_sys::GETSTRUCT(self.row).cast::<T>() }
    }

    /// Returns a column by its number, which may be one that the struct does not have; None if it is NULL. The value may
    /// be a part of the row, and must not be used after it.
    pub fn column(&self, number: u32) -> Option<pg_sys::Datum> {
        let mut is_null = true;
        // SAFETY: the row comes from this cache, and is valid until it is released.
        let value =
            unsafe { pg_sys::SysCacheGetAttr(T::CACHE as c_int, self.row, number as pg_sys::AttrNumber, &mut is_null) };
        (!is_null).then_some(value)
    }
}

impl<T> Drop for SystemCacheRow<T> {
    fn drop(&mut self) {
        // SAFETY: the row is released once.
        unsafe { pg_sys::ReleaseSysCache(self.row) };
    }
}
