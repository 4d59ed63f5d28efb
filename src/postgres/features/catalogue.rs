//! The part of the catalogue that the tests of the features need.

use std::ffi::CString;

use pgrx::prelude::*;

use super::Definition;
use super::names;
use super::table::{Place, Table};
use super::test::Test;
use super::watch::{self, Stale};
use crate::postgres::held_lock;

/// The tables, relations and functions that tests name, with the result of the last reading.
pub struct Catalogue {
    schema: pg_sys::Oid,
    tables: Vec<Watched>,
    relations: Vec<Named>,
    functions: Vec<Function>,
}

/// A table whose columns, checks, triggers or indexes a test needs.
struct Watched {
    name: &'static str,
    spelled: CString,
    oid: pg_sys::Oid,
    wants_indexes: bool,
    read: Option<Table>,
}

/// A relation whose existence a test needs.
struct Named {
    name: &'static str,
    spelled: CString,
    exists: bool,
}

/// A function whose existence a test needs.
struct Function {
    name: &'static str,
    spelled: CString,
    arguments: &'static [pg_sys::Oid],
    exists: bool,
}

fn spelled(name: &str) -> CString {
    CString::new(name).expect("a name holds no NUL byte")
}

impl Catalogue {
    /// Collects what the tests of these features need. Nothing is read yet.
    pub fn of(features: &'static [Definition]) -> Self {
        let schema = pg_sys::InvalidOid;
        let mut all = Self { schema, tables: Vec::new(), relations: Vec::new(), functions: Vec::new() };
        for feature in features {
            feature.test.visit(&mut |test| all.add(test));
        }
        assert!(all.tables.len() <= Stale::TABLES, "tests name more tables than can be watched");
        all
    }

    fn add(&mut self, test: &'static Test) {
        if let Some(name) = test.table() {
            let place = self.place(name).unwrap_or_else(|| {
                let (oid, read) = (pg_sys::InvalidOid, None);
                self.tables.push(Watched { name, spelled: spelled(name), oid, wants_indexes: false, read });
                self.tables.len() - 1
            });
            self.tables[place].wants_indexes |= matches!(
                test,
                Test::Index(..) | Test::WholeIndex(..) | Test::UniqueIndex(..) | Test::UniqueIndexWith(..)
            );
        }
        match *test {
            Test::Relation(name) => self.relations.push(Named { name, spelled: spelled(name), exists: false }),
            Test::Function(name, arguments) => {
                self.functions.push(Function { name, spelled: spelled(name), arguments, exists: false });
            }
            _ => {}
        }
    }

    fn place(&self, table: &str) -> Option<usize> {
        self.tables.iter().position(|watched| watched.name == table)
    }

    /// Returns what must be current before a test runs.
    pub fn needs(&self, test: &'static Test) -> Stale {
        let mut needs = Stale::NAMES;
        test.visit(&mut |part| {
            if let Some(place) = part.table().and_then(|table| self.place(table)) {
                needs = needs.union(Stale::table(place));
            }
        });
        needs
    }

    /// Looks up all names.
    pub fn find(&mut self) {
        watch::clear(Stale::NAMES);
        let unfinished = Unfinished(Stale::NAMES);
        self.schema = names::schema();
        // The names are watched before they are looked up, so that no change is missed in between.
        watch::watch_names(self.hashes(|_| true));
        for (place, table) in self.tables.iter_mut().enumerate() {
            let oid = names::relation(self.schema, &table.spelled);
            if oid != table.oid {
                (table.oid, table.read) = (oid, None);
                watch::set(Stale::table(place));
            }
        }
        watch::watch_tables(self.tables.iter().map(|table| table.oid).collect());
        // The name of an existing table need not be watched. Postgres reports a rename by the table's OID, and the
        // next reading compares the name.
        watch::watch_names(self.hashes(|table| table.oid == pg_sys::InvalidOid));
        for relation in &mut self.relations {
            relation.exists = names::relation(self.schema, &relation.spelled) != pg_sys::InvalidOid;
        }
        for function in &mut self.functions {
            function.exists = names::has_function(self.schema, &function.spelled, function.arguments);
        }
        unfinished.finish();
    }

    /// Returns the hash values of the names of all relations and of the tables that `of_table` selects.
    fn hashes(&self, of_table: impl Fn(&Watched) -> bool) -> Vec<u32> {
        let tables = self.tables.iter().filter(|table| of_table(table)).map(|table| &table.spelled);
        let names = tables.chain(self.relations.iter().map(|relation| &relation.spelled));
        names.map(|name| names::hash(self.schema, name)).collect()
    }

    /// Reads the `due` tables and returns the tables that could not be locked. Another transaction is altering such a
    /// table, and the result of the former reading stays valid until that transaction ends. If this function waited, a
    /// sweep could wait for a table that its statement does not name. It waits only for a table that was never read.
    pub fn read(&mut self, due: Stale) -> Stale {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let mut left = Stale::NOTHING;
        for (place, table) in self.tables.iter_mut().enumerate() {
            let flag = Stale::table(place);
            if due.intersection(flag) == Stale::NOTHING {
                continue;
            }
            watch::clear(flag);
            let unfinished = Unfinished(flag);
            if table.oid == pg_sys::InvalidOid {
                table.read = None;
                unfinished.finish();
                continue;
            }
            // A table that this transaction has locked is not locked again. The second request would queue behind a
            // session that waits for the first lock.
            let holds = held_lock::holds_table(table.oid);
            // SAFETY: called in a transaction; the table is locked while it is read.
            unsafe {
                if !holds && table.read.is_some() && !pg_sys::ConditionalLockRelationOid(table.oid, lock) {
                    left = left.union(flag);
                    continue;
                }
                if !holds && table.read.is_none() {
                    pg_sys::LockRelationOid(table.oid, lock);
                }
                let at = Place { oid: table.oid, name: &table.spelled, schema: self.schema };
                table.read = Table::read(&at, table.read.as_ref(), table.wants_indexes);
                if !holds {
                    pg_sys::UnlockRelationOid(table.oid, lock);
                }
            }
            if table.read.is_none() {
                watch::set(Stale::NAMES);
            }
            unfinished.finish();
        }
        left
    }

    /// Returns a table, or None if it does not exist.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables[self.place(name)?].read.as_ref()
    }

    /// Whether a relation of this name exists.
    pub fn has_relation(&self, name: &str) -> bool {
        self.relations.iter().any(|relation| relation.name == name && relation.exists)
    }

    /// Whether a function of this name with these arguments exists.
    pub fn has_function(&self, name: &str, arguments: &[pg_sys::Oid]) -> bool {
        let mut there = self.functions.iter().filter(|function| function.exists);
        there.any(|function| function.name == name && function.arguments == arguments)
    }
}

/// Flags that are set again when the value is dropped, because an error ended the reading or a lock was not available.
struct Unfinished(Stale);

impl Unfinished {
    fn finish(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        watch::set(self.0);
    }
}
