//! Rows that the session has read before, and whether they still have the same values. The row is read at its place in
//! the table. A statement that looks it up by its key takes ten times as long, most of it for setting up the plan.

use std::ffi::CStr;

use pgrx::pg_sys::ItemPointerData;
use pgrx::prelude::*;
use pgrx::{FromDatum, Uuid};

use super::composite;
use super::statement::Row;

/// Where a row is: the columns `tableoid` and `ctid` of a statement that has read it.
#[derive(Clone, Copy)]
pub struct Place {
    table: pg_sys::Oid,
    schema: pg_sys::Oid,
    row: ItemPointerData,
}

impl Place {
    /// Reads the columns of a row of a statement.
    pub fn of(row: &Row) -> Self {
        let table = row.required("tableoid");
        // SAFETY: called in a transaction that has read the table.
        let schema = unsafe { pg_sys::get_rel_namespace(table) };
        Self { table, schema, row: row.required("ctid") }
    }

    /// Whether the row at this place is valid now, and has these values. What other sessions have committed counts,
    /// whatever the transaction's snapshot is. False also if the row may be valid at another place, if the table has not
    /// this name in its schema any more, or if policies filter it: only a statement can tell then.
    pub fn has(&self, name: &CStr, values: &[(&CStr, Uuid)]) -> bool {
        // SAFETY: called in a transaction. The lock is kept until its end, as that of a statement, so the table is not
        // dropped, rewritten or truncated while its row is read. An error of Postgres releases the table and the row.
        unsafe {
            pg_sys::LockRelationOid(self.table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let table = pg_sys::RelationIdGetRelation(self.table);
            if table.is_null() {
                return false;
            }
            let is_same = self.is_in(table, name) && self.row_has(table, values);
            pg_sys::RelationClose(table);
            is_same
        }
    }

    /// Whether the table is the one of this name, the place is in it, and no policy filters it.
    unsafe fn is_in(&self, table: pg_sys::Relation, name: &CStr) -> bool {
        // SAFETY: the caller has opened the relation.
        unsafe {
            let class = &*(*table).rd_rel;
            let block = pgrx::itemptr::item_pointer_get_block_number_no_check(self.row);
            class.relam == pg_sys::HEAP_TABLE_AM_OID
                && !class.relrowsecurity
                && class.relnamespace == self.schema
                && CStr::from_ptr(class.relname.data.as_ptr()) == name
                && block < pg_sys::RelationGetNumberOfBlocksInFork(table, pg_sys::ForkNumber::MAIN_FORKNUM)
        }
    }

    /// Whether the row at this place is valid, and has these values.
    unsafe fn row_has(&self, table: pg_sys::Relation, values: &[(&CStr, Uuid)]) -> bool {
        let mut row = pg_sys::HeapTupleData { t_self: self.row, ..Default::default() };
        let mut buffer = pg_sys::InvalidBuffer as pg_sys::Buffer;
        // SAFETY: the table is open and the place is in it. The values are read before the page is released.
        unsafe {
            let now = &raw mut pg_sys::SnapshotSelfData;
            if !fetch(table, now, &mut row, &mut buffer) {
                return false;
            }
            let is_same = equals(&mut row, (*table).rd_att, values);
            pg_sys::ReleaseBuffer(buffer);
            is_same
        }
    }
}

unsafe fn fetch(
    table: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    row: &mut pg_sys::HeapTupleData,
    buffer: &mut pg_sys::Buffer,
) -> bool {
    // SAFETY: as the caller promises.
    #[cfg(feature = "pg14")]
    unsafe {
        pg_sys::heap_fetch(table, snapshot, row, buffer)
    }
    // SAFETY: as above.
    #[cfg(not(feature = "pg14"))]
    unsafe {
        pg_sys::heap_fetch(table, snapshot, row, buffer, false)
    }
}

/// Whether a row has these values.
unsafe fn equals(row: &mut pg_sys::HeapTupleData, desc: pg_sys::TupleDesc, values: &[(&CStr, Uuid)]) -> bool {
    // SAFETY: the row is of this descriptor, and both exist as long as the caller has the table and the page.
    let attributes = unsafe { composite::attributes(desc) };
    values.iter().all(|(column, value)| {
        let is_it = |attribute: &pg_sys::FormData_pg_attribute| {
            attribute.atttypid == pg_sys::UUIDOID && composite::is_called(attribute, column.to_bytes())
        };
        let Some(at) = attributes.iter().position(is_it) else { return false };
        let mut is_null = true;
        // SAFETY: as above; the column is a uuid.
        let found = unsafe {
            let datum = pg_sys::SPI_getbinval(row, desc, at as i32 + 1, &mut is_null);
            Uuid::from_datum(datum, is_null)
        };
        found.as_ref() == Some(value)
    })
}
