//! What a table has, read from the relation cache of Postgres. The cache is current whatever the transaction's snapshot
//! is, and Postgres checks statements against the same cache.

use std::ffi::{CStr, CString};

use pgrx::PgList;
use pgrx::prelude::*;

use super::checks::{self, Check};
use crate::postgres::composite;
use crate::postgres::system_cache::SystemCacheRow;

/// A table.
pub struct Table {
    columns: Vec<Column>,
    checks: Vec<Check>,
    triggers: Vec<Trigger>,
    /// The columns that are in an index. An index that is not valid counts, because Postgres writes it too.
    indexed: Vec<pg_sys::AttrNumber>,
    /// The columns of each valid index of all rows.
    whole_indexes: Vec<Vec<pg_sys::AttrNumber>>,
    unique_indexes: Vec<UniqueIndex>,
}

/// The indexes of a table.
#[derive(Default)]
struct Indexes {
    indexed: Vec<pg_sys::AttrNumber>,
    whole: Vec<Vec<pg_sys::AttrNumber>>,
    unique: Vec<UniqueIndex>,
}

/// The table to which a name belongs.
pub struct Place<'a> {
    /// The OID that was found for the name.
    pub oid: pg_sys::Oid,
    /// The name.
    pub name: &'a CStr,
    /// The schema in which the name was looked up.
    pub schema: pg_sys::Oid,
}

/// A column that was not dropped.
pub struct Column {
    number: pg_sys::AttrNumber,
    name: String,
    /// Whether it may be NULL.
    pub is_nullable: bool,
}

/// A trigger that is not internal to Postgres.
struct Trigger {
    name: String,
    deletes: bool,
    updates: bool,
    /// The columns after UPDATE OF; empty for all columns.
    columns: Vec<pg_sys::AttrNumber>,
}

/// A valid unique index with a predicate.
struct UniqueIndex {
    columns: Vec<pg_sys::AttrNumber>,
    /// The predicate as the catalogue stores it. The texts of an equal predicate are copied from the former reading.
    predicate: String,
    texts: Vec<String>,
}

impl Table {
    /// Reads a table. Returns None if it was dropped, renamed or moved. `former` is the result of the former reading.
    /// Indexes are read only if `wants_indexes`.
    ///
    /// # Safety
    /// The transaction must hold a lock on the table.
    pub unsafe fn read(place: &Place, former: Option<&Self>, wants_indexes: bool) -> Option<Self> {
        // SAFETY: because of the lock, the cache entry does not change until the relation is closed. After an error,
        // Postgres closes the relation.
        unsafe {
            let relation = pg_sys::RelationIdGetRelation(place.oid);
            if relation.is_null() {
                return None;
            }
            let row = &*(*relation).rd_rel;
            if row.relnamespace != place.schema || CStr::from_ptr(row.relname.data.as_ptr()) != place.name {
                pg_sys::RelationClose(relation);
                return None;
            }
            let indexes = match wants_indexes {
                true => indexes(relation, former.map_or(&[], |former| &former.unique_indexes)),
                false => Indexes::default(),
            };
            let table = Self {
                columns: columns(relation),
                checks: checks(relation, former.map_or(&[], |former| &former.checks)),
                triggers: triggers(relation),
                indexed: indexes.indexed,
                whole_indexes: indexes.whole,
                unique_indexes: indexes.unique,
            };
            pg_sys::RelationClose(relation);
            Some(table)
        }
    }

    /// Returns the column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns one list of words per CHECK that uses this column alone and lists words.
    pub fn lists(&self, column: &str) -> impl Iterator<Item = &Vec<String>> {
        let number = self.column(column).map(|column| column.number);
        let of_column = self.checks.iter().filter(move |check| number.is_some() && check.column == number);
        of_column.map(|check| &check.words).filter(|words| !words.is_empty())
    }

    /// Whether a trigger fires on DELETE or on UPDATE of this column.
    pub fn has_trigger(&self, column: &str) -> bool {
        let Some(column) = self.column(column) else { return false };
        self.triggers.iter().any(|trigger| {
            let of_column = trigger.columns.is_empty() || trigger.columns.contains(&column.number);
            trigger.deletes || trigger.updates && of_column
        })
    }

    /// Whether there is a trigger of this name.
    pub fn has_trigger_named(&self, name: &str) -> bool {
        self.triggers.iter().any(|trigger| trigger.name == name)
    }

    /// Whether an index contains this column.
    pub fn has_index(&self, column: &str) -> bool {
        self.column(column).is_some_and(|column| self.indexed.contains(&column.number))
    }

    /// Whether a valid index of all rows begins with these columns.
    pub fn has_whole_index(&self, columns: &[&str]) -> bool {
        let numbers: Option<Vec<_>> = columns.iter().map(|name| Some(self.column(name)?.number)).collect();
        numbers.is_some_and(|numbers| self.whole_indexes.iter().any(|index| index.starts_with(&numbers)))
    }

    /// Returns the texts in the predicate, per valid unique index on exactly these columns that has a predicate.
    pub fn unique_indexes(&self, columns: &[&str]) -> impl Iterator<Item = &Vec<String>> {
        let numbers: Vec<_> = columns.iter().filter_map(|name| Some(self.column(name)?.number)).collect();
        let exists = numbers.len() == columns.len();
        let on_them = self.unique_indexes.iter().filter(move |index| exists && index.columns == numbers);
        on_them.map(|index| &index.texts)
    }
}

unsafe fn columns(relation: pg_sys::Relation) -> Vec<Column> {
    // SAFETY: the descriptor is valid while the relation is open.
    let attributes = unsafe { composite::attributes((*relation).rd_att) };
    let there = attributes.iter().filter(|attribute| !attribute.attisdropped);
    there
        .map(|attribute| Column {
            number: attribute.attnum,
            name: String::from_utf8_lossy(composite::name_of(attribute)).into_owned(),
            is_nullable: !attribute.attnotnull,
        })
        .collect()
}

unsafe fn checks(relation: pg_sys::Relation, known: &[Check]) -> Vec<Check> {
    // SAFETY: `num_check` is the number of checks. Each is an expression of the catalogue.
    unsafe {
        let constraints = (*(*relation).rd_att).constr;
        if constraints.is_null() || (*constraints).num_check == 0 {
            return Vec::new();
        }
        let all = std::slice::from_raw_parts((*constraints).check, (*constraints).num_check.into());
        all.iter().map(|check| Check::of(CStr::from_ptr(check.ccbin), known)).collect()
    }
}

unsafe fn triggers(relation: pg_sys::Relation) -> Vec<Trigger> {
    // SAFETY: `numtriggers` is the number of triggers, and `tgnattr` the number of columns of a trigger.
    unsafe {
        let description = (*relation).trigdesc;
        if description.is_null() || (*description).numtriggers == 0 {
            return Vec::new();
        }
        let all = std::slice::from_raw_parts((*description).triggers, (*description).numtriggers as usize);
        let of_users = all.iter().filter(|trigger| !trigger.tgisinternal);
        of_users
            .map(|trigger| Trigger {
                name: CStr::from_ptr(trigger.tgname).to_string_lossy().into_owned(),
                deletes: trigger.tgtype as u32 & pg_sys::TRIGGER_TYPE_DELETE != 0,
                updates: trigger.tgtype as u32 & pg_sys::TRIGGER_TYPE_UPDATE != 0,
                columns: match trigger.tgnattr {
                    0 => Vec::new(),
                    count => std::slice::from_raw_parts(trigger.tgattr, count as usize).to_vec(),
                },
            })
            .collect()
    }
}

/// Returns the columns that are in an index, the valid indexes of all rows, and the valid unique indexes with a
/// predicate.
unsafe fn indexes(relation: pg_sys::Relation, known: &[UniqueIndex]) -> Indexes {
    // SAFETY: the list is a copy.
    let list = unsafe { PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(relation)) };
    let mut found = Indexes::default();
    // A dropped index has no row.
    for row in list.iter_oid().filter_map(SystemCacheRow::<pg_sys::FormData_pg_index>::find) {
        let index = row.columns();
        // SAFETY: a row has one key per column.
        let all = unsafe { index.indkey.values.as_slice(index.indnatts as usize) };
        found.indexed.extend_from_slice(all);
        if !index.indisvalid {
            continue;
        }
        let columns = all[..index.indnkeyatts as usize].to_vec();
        match row.column(pg_sys::Anum_pg_index_indpred) {
            None => found.whole.push(columns),
            Some(predicate) if index.indisunique => {
                // SAFETY: the column is a text.
                if let Some(predicate) = unsafe { String::from_datum(predicate, false) } {
                    // SAFETY: the predicate is an expression of the catalogue.
                    let texts = unsafe { texts(&predicate, known) };
                    found.unique.push(UniqueIndex { columns, predicate, texts });
                }
            }
            Some(_) => {}
        }
    }
    found
}

/// Returns the texts in a predicate, which must be an expression of the catalogue.
unsafe fn texts(predicate: &str, known: &[UniqueIndex]) -> Vec<String> {
    if let Some(same) = known.iter().find(|known| known.predicate == predicate) {
        return same.texts.clone();
    }
    let source = CString::new(predicate);
    // SAFETY: as the caller promises.
    unsafe { checks::texts(&source.expect("a text of Postgres holds no NUL byte")) }
}
