//! Finds objects by name, in the schema of the extension only and never in another schema of the search path.
//! Everything is read from the catalogue as it is now, whatever the transaction's snapshot is.

use std::ffi::{CStr, c_int};

use pgrx::prelude::*;

/// The name of the extension.
const EXTENSION: &CStr = c"multica";

/// The extension in this database.
pub struct Extension {
    /// Its schema.
    pub schema: pg_sys::Oid,
    /// Its owner.
    pub owner: pg_sys::Oid,
}

/// Returns the schema of the extension, or an invalid OID if the database does not have the extension.
pub fn schema() -> pg_sys::Oid {
    extension().map_or(pg_sys::InvalidOid, |extension| extension.schema)
}

/// Returns the extension, or None if the database does not have it.
pub fn extension() -> Option<Extension> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    let mut found = None;
    // SAFETY: the key belongs to the index on the name, and is valid until the scan ends. Every row begins with the
    // columns of the struct.
    unsafe {
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_extension_extname as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_NAMEEQ.into(),
            pg_sys::Datum::from(EXTENSION.as_ptr()),
        );
        let catalogue = pg_sys::table_open(pg_sys::ExtensionRelationId, lock);
        let (index, no_snapshot) = (pg_sys::ExtensionNameIndexId.into(), std::ptr::null_mut());
        let scan = pg_sys::systable_beginscan(catalogue, index, true, no_snapshot, 1, &mut key);
        let row = pg_sys::systable_getnext(scan);
        if !row.is_null() {
            let columns = &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_extension>();
            found = Some(Extension { schema: columns.extnamespace, owner: columns.extowner });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalogue, lock);
    }
    found
}

/// Returns the relation of this name, or an invalid OID if it does not exist.
pub fn relation(schema: pg_sys::Oid, name: &CStr) -> pg_sys::Oid {
    // SAFETY: the name ends with a NUL byte, and the caches can be read in a transaction.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) }
}

/// Returns the hash value that Postgres passes to the callback when the relation of this name changes.
pub fn hash(schema: pg_sys::Oid, name: &CStr) -> u32 {
    let none = pg_sys::Datum::null();
    // SAFETY: the cache has these two keys, and the name ends with a NUL byte.
    unsafe {
        pg_sys::GetSysCacheHashValue(
            pg_sys::SysCacheIdentifier::RELNAMENSP as c_int,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(schema),
            none,
            none,
        )
    }
}

/// Whether a function of this name with arguments of these types exists.
pub fn has_function(schema: pg_sys::Oid, name: &CStr, arguments: &[pg_sys::Oid]) -> bool {
    // SAFETY: the cache has these three keys; the vector is a copy of the types.
    unsafe {
        let types = pg_sys::buildoidvector(arguments.as_ptr(), arguments.len() as c_int);
        pg_sys::SearchSysCacheExists(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as c_int,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(types),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::null(),
        )
    }
}
