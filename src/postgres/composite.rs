//! Result rows of the extension's composite types. A row is formed by attribute name, for the type as it is in the
//! catalogue.
//!
//! An attribute that the library does not know is NULL, and a value for which the type has no attribute is left out.
//! Therefore the library and the SQL objects may be one version apart. `sql/extension/types.sql` is the only list of
//! the attributes of each type.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;

use crate::error::{Error, Word};
use crate::postgres::statement::{Arg, Row};

/// A composite type of the extension, identified by its SQL name.
pub trait Kind {
    /// Name of the type in SQL.
    const NAME: &'static str;
}

/// A row of the composite type `K`, ready to be returned.
pub struct Composite<K: Kind> {
    datum: pg_sys::Datum,
    kind: PhantomData<K>,
}

/// Returns the rows of a statement, in its order, as the result set of a function.
pub fn set<K: Kind + 'static>(rows: Vec<Composite<K>>) -> SetOfIterator<'static, Composite<K>> {
    SetOfIterator::new(rows)
}

impl<K: Kind> Composite<K> {
    /// Forms a row of this type from the row of a statement. Columns are matched by name.
    pub fn from_row(row: &Row) -> Self {
        Self::from_row_and(row, &[])
    }

    /// As [`Self::from_row`]. `values` supplies the attributes that the statement lacks.
    pub fn from_row_and(row: &Row, values: &[(&str, Arg)]) -> Self {
        let mut columns = row.columns();
        row.in_caller_context(|| Self::form(|name| named(values, name).or_else(|| columns.named(name))))
    }

    /// Forms a row from values, by attribute name.
    pub fn of(values: &[(&str, Arg)]) -> Self {
        Self::form(|name| named(values, name))
    }

    fn form(mut find: impl FnMut(&[u8]) -> Option<(Option<pg_sys::Datum>, pg_sys::Oid)>) -> Self {
        let name = CString::new(K::NAME).expect("type names hold no NUL byte");
        // SAFETY: the descriptor is pinned until its count is decremented; both arrays have one element per attribute
        // of it, and each value has the type of its attribute.
        unsafe {
            let desc = pg_sys::lookup_rowtype_tupdesc(pg_sys::TypenameGetTypid(name.as_ptr()), -1);
            let mut datums = Vec::with_capacity((*desc).natts as usize);
            let mut nulls = Vec::with_capacity((*desc).natts as usize);
            for attribute in attributes(desc) {
                let found = if attribute.attisdropped { None } else { find(name_of(attribute)) };
                let value = found.and_then(|(datum, oid)| {
                    if oid != attribute.atttypid {
                        let name = String::from_utf8_lossy(name_of(attribute));
                        Error::state(
                            Word::TableConflict,
                            format!("column \"{name}\" has an unexpected type"),
                            format!("Type {} expects a different type.", K::NAME),
                            "Run SELECT * FROM multica_install(dry_run => true) to see which type it must have.",
                        )
                        .raise();
                    }
                    datum
                });
                nulls.push(value.is_none());
                datums.push(value.unwrap_or(pg_sys::Datum::null()));
            }
            let tuple = pg_sys::heap_form_tuple(desc, datums.as_mut_ptr(), nulls.as_mut_ptr());
            let datum = pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data);
            pg_sys::DecrTupleDescRefCount(desc);
            Self { datum, kind: PhantomData }
        }
    }
}

fn named(values: &[(&str, Arg)], name: &[u8]) -> Option<(Option<pg_sys::Datum>, pg_sys::Oid)> {
    let (_, value) = values.iter().find(|(known, _)| known.as_bytes() == name)?;
    Some((value.datum(), value.oid()))
}

/// The attributes of a tuple descriptor.
///
/// # Safety
/// `desc` must be valid while the slice is in use.
pub unsafe fn attributes<'a>(desc: pg_sys::TupleDesc) -> &'a [pg_sys::FormData_pg_attribute] {
    #[cfg(not(feature = "pg18"))]
    // SAFETY: as the caller promises.
    unsafe {
        (*desc).attrs.as_slice((*desc).natts as usize)
    }
    // From 18 on the full attributes follow the compact ones in memory.
    #[cfg(feature = "pg18")]
    // SAFETY: as the caller promises.
    unsafe {
        let count = (*desc).natts as usize;
        std::slice::from_raw_parts((*desc).compact_attrs.as_ptr().add(count).cast(), count)
    }
}

/// Returns the name of an attribute, without its padding.
pub fn name_of(attribute: &pg_sys::FormData_pg_attribute) -> &[u8] {
    let padded = padded_name(attribute);
    CStr::from_bytes_until_nul(padded).map_or(padded, CStr::to_bytes)
}

/// Whether an attribute has this name and was not dropped.
pub fn is_called(attribute: &pg_sys::FormData_pg_attribute, name: &[u8]) -> bool {
    let rest = padded_name(attribute).strip_prefix(name);
    !attribute.attisdropped && rest.is_some_and(|rest| matches!(rest, [] | [0, ..]))
}

fn padded_name(attribute: &pg_sys::FormData_pg_attribute) -> &[u8] {
    let bytes: &[std::ffi::c_char] = &attribute.attname.data;
    // SAFETY: c_char and u8 have the same layout.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), bytes.len()) }
}

// SAFETY: the datum is a row of the composite type that the function is declared to return.
unsafe impl<K: Kind> BoxRet for Composite<K> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: as above.
        unsafe { fcinfo.return_raw_datum(self.datum) }
    }
}

// SAFETY: the name is that of a type in the extension's script.
unsafe impl<K: Kind> SqlTranslatable for Composite<K> {
    const TYPE_IDENT: &'static str = K::NAME;
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Err(ArgumentError::NotValidAsArgument(K::NAME));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::As(K::NAME)));
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    /// Returns a query that lists the runtimes of the workspace and reads their attributes.
    fn list() -> String {
        let listed =
            "SELECT to_jsonb(r) - 'metadata' - 'future' || jsonb_build_object('id', r.id) <> '{}' AND r.name = 'n'
                      FROM multica_list_runtimes('00000000-0000-4000-8000-0000000000a1') AS r";
        format!("SELECT coalesce(bool_and(x), false) FROM ({listed}) AS g (x)")
    }

    fn one_runtime() {
        Spi::run(
            "SELECT FROM multica_install();
             INSERT INTO workspace (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000a1', 'w', 'w');
             SELECT FROM multica_upsert_runtime('00000000-0000-4000-8000-0000000000a1', 'd', 'n', 'local', 'p', 'online')",
        )
        .unwrap();
        assert!(Spi::get_one::<bool>(&list()).unwrap().unwrap());
    }

    #[pg_test]
    fn attribute_that_the_library_does_not_know_is_null() {
        one_runtime();
        Spi::run("ALTER TYPE multica_runtime ADD ATTRIBUTE future text").unwrap();
        assert!(Spi::get_one::<bool>(&list()).unwrap().unwrap());
        let future = "SELECT future IS NULL FROM multica_list_runtimes('00000000-0000-4000-8000-0000000000a1')";
        assert!(Spi::get_one::<bool>(future).unwrap().unwrap());
    }

    #[pg_test]
    fn attribute_that_the_type_lacks_is_left_out() {
        one_runtime();
        Spi::run("ALTER TYPE multica_runtime DROP ATTRIBUTE metadata").unwrap();
        assert!(Spi::get_one::<bool>(&list()).unwrap().unwrap());
        Spi::run("ALTER TYPE multica_swept DROP ATTRIBUTE tasks_failed, ADD ATTRIBUTE tasks_moved bigint").unwrap();
        let swept = "SELECT more = false AND tasks_moved IS NULL AND runtimes_offline = 0 FROM multica_sweep()";
        assert!(Spi::get_one::<bool>(swept).unwrap().unwrap());
    }

    #[pg_test]
    fn order_of_attributes_does_not_matter() {
        one_runtime();
        Spi::run(
            "ALTER TYPE multica_runtime DROP ATTRIBUTE status, DROP ATTRIBUTE daemon_id;
             ALTER TYPE multica_runtime ADD ATTRIBUTE daemon_id text, ADD ATTRIBUTE status text",
        )
        .unwrap();
        let row = "SELECT daemon_id || status || name
                   FROM multica_list_runtimes('00000000-0000-4000-8000-0000000000a1')";
        assert_eq!(Spi::get_one::<String>(row).unwrap().unwrap(), "donlinen");
    }

    #[pg_test]
    fn column_whose_name_only_begins_like_an_attribute_is_another() {
        one_runtime();
        Spi::run("ALTER TABLE agent_runtime ADD COLUMN last_seen_at_home text DEFAULT 'never'").unwrap();
        Spi::run("UPDATE agent_runtime SET last_seen_at = '2020-02-02 UTC'").unwrap();
        let listed = "SELECT last_seen_at = '2020-02-02 UTC'
                      FROM multica_list_runtimes('00000000-0000-4000-8000-0000000000a1')";
        assert!(Spi::get_one::<bool>(listed).unwrap().unwrap());
    }

    #[pg_test]
    fn attribute_of_another_type_is_refused() {
        one_runtime();
        Spi::run("ALTER TYPE multica_runtime ALTER ATTRIBUTE name TYPE integer").unwrap();
        Spi::run(
            "DO $$ BEGIN
                 PERFORM multica_list_runtimes('00000000-0000-4000-8000-0000000000a1');
                 RAISE 'taken' USING ERRCODE = 'assert_failure';
             EXCEPTION WHEN object_not_in_prerequisite_state THEN
                 ASSERT SQLERRM LIKE '% has an unexpected type', SQLERRM;
             END $$",
        )
        .unwrap();
    }
}
