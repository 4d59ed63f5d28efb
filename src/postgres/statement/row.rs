//! The result of a statement, read column by column.

use std::marker::PhantomData;

use pgrx::prelude::*;
use pgrx::{FromDatum, PgMemoryContexts};

use crate::error::{Error, Word};
use crate::postgres::composite;

/// One row of a result, readable while its statement's SPI connection is open.
pub struct Row<'table> {
    pub(super) tuple: pg_sys::HeapTuple,
    pub(super) desc: pg_sys::TupleDesc,
    pub(super) caller_context: pg_sys::MemoryContext,
    pub(super) table: PhantomData<&'table ()>,
}

impl Row<'_> {
    /// Returns column number `position`, counted from 1; None for NULL. The value is copied out of SPI's memory.
    pub fn get<T: FromDatum>(&self, position: usize) -> Option<T> {
        let (datum, oid) = self.raw(position)?;
        // SAFETY: the value is of this type and exists while the SPI connection is open; it is copied to the context of
        // the caller.
        unsafe { T::from_datum_in_memory_context(PgMemoryContexts::For(self.caller_context), datum, false, oid) }
    }

    /// As [`Row::get`], for a column that must not be NULL. Raises 55000 if it is NULL, which is possible if an adopted
    /// table lacks the NOT NULL constraint.
    pub fn must<T: FromDatum>(&self, position: usize) -> T {
        self.get(position).unwrap_or_else(|| {
            // SAFETY: the descriptor exists as long as the row.
            let attributes = unsafe { composite::attributes(self.desc) };
            let name = String::from_utf8_lossy(composite::name_of(&attributes[position - 1]));
            Error::state(
                Word::TableConflict,
                format!("column \"{name}\" must not be NULL"),
                "An adopted table may lack the NOT NULL constraint.",
                "Run SELECT * FROM multica_install(dry_run => true) to list what is missing; \
                 set the column in every row, then set it NOT NULL.",
            )
            .raise()
        })
    }

    /// As [`Row::column`], for a column that must not be NULL; see [`Row::must`].
    pub fn required<T: FromDatum>(&self, name: &str) -> T {
        self.must(self.position(name))
    }

    /// Returns the column called `name`, which the statement must have; None for NULL.
    pub fn column<T: FromDatum>(&self, name: &str) -> Option<T> {
        self.get(self.position(name))
    }

    /// Returns the number, counted from 1, of the column called `name`, which the statement must have.
    pub fn position(&self, name: &str) -> usize {
        // SAFETY: the descriptor exists as long as the row.
        let attributes = unsafe { composite::attributes(self.desc) };
        let at = attributes
            .iter()
            .position(|attribute| composite::is_called(attribute, name.as_bytes()))
            .unwrap_or_else(|| {
                Error::state(
                    Word::InstallNeeded,
                    "the tables of multica are missing or too old",
                    format!("Column \"{name}\" does not exist."),
                    "Run SELECT * FROM multica_install();",
                )
                .raise()
            });
        at + 1
    }

    /// Returns all columns, decoded at once.
    pub fn columns(&self) -> Columns<'_> {
        // SAFETY: the descriptor exists as long as the row.
        let attributes = unsafe { composite::attributes(self.desc) };
        let mut datums = vec![pg_sys::Datum::null(); attributes.len()];
        let mut nulls = vec![true; attributes.len()];
        // SAFETY: the tuple is of this descriptor, and both arrays have room for each of its attributes.
        unsafe {
            pg_sys::heap_deform_tuple(self.tuple, self.desc, datums.as_mut_ptr(), nulls.as_mut_ptr());
        }
        Columns { attributes, datums, nulls, next: 0 }
    }

    /// Runs `form` in the memory context that was current before SPI, so that its result outlives the statement.
    pub fn in_caller_context<R>(&self, form: impl FnOnce() -> R) -> R {
        // SAFETY: the context is that of SPI's caller, which outlives the connection; an error resets the current one
        // itself.
        unsafe {
            let inside = pg_sys::MemoryContextSwitchTo(self.caller_context);
            let formed = form();
            pg_sys::MemoryContextSwitchTo(inside);
            formed
        }
    }

    fn raw(&self, position: usize) -> Option<(pg_sys::Datum, pg_sys::Oid)> {
        // SAFETY: the tuple is of this descriptor; SPI returns NULL for a position that it lacks.
        unsafe {
            let mut null = false;
            let datum = pg_sys::SPI_getbinval(self.tuple, self.desc, position as i32, &mut null);
            let oid = pg_sys::SPI_gettypeid(self.desc, position as i32);
            (!null).then_some((datum, oid))
        }
    }
}

/// The columns of one row, to be read by name.
pub struct Columns<'row> {
    attributes: &'row [pg_sys::FormData_pg_attribute],
    datums: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    /// Where the next search begins: after the last column that was found, because callers read the columns in about
    /// the order of the statement.
    next: usize,
}

impl Columns<'_> {
    /// Returns the value (None for NULL) and the type of the column called `name`; the outer None means that there is
    /// no such column.
    pub fn named(&mut self, name: &[u8]) -> Option<(Option<pg_sys::Datum>, pg_sys::Oid)> {
        let at = (self.next..self.attributes.len())
            .chain(0..self.next)
            .find(|at| composite::is_called(&self.attributes[*at], name))?;
        self.next = at + 1;
        let value = (!self.nulls[at]).then_some(self.datums[at]);
        Some((value, self.attributes[at].atttypid))
    }
}
