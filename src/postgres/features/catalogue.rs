//! The part of the catalogue that the tests of the features ask for.

use std::ffi::CString;

use pgrx::prelude::*;

use super::Definition;
use super::names;
use super::table::{Place, Table};
use super::test::Test;
use super::watch::{self, Stale};
use crate::postgres::held_lock;

/// Tables, relations and functions that tests name, and what was read of them.
pub struct Catalogue {
    schema: pg_sys::Oid,
    tables: Vec<Watched>,
    relations: Vec<Named>,
    functions: Vec<Function>,
}

/// A table that tests look into.
struct Watched {
    name: &'static str,
    spelled: CString,
    oid: pg_sys::Oid,
    wants_indexes: bool,
    read: Option<Table>,
}

/// A relation that tests ask for.
struct Named {
    name: &'static str,
    spelled: CString,
    exists: bool,
}

/// A function that tests ask for.
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
    /// What the tests of these features ask for, of which nothing is read yet.
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
            self.tables[place].wants_indexes |= matches!(test, Test::UniqueIndex(..) | Test::UniqueIndexWith(..));
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

    /// What has to be read for a test.
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
        // Before names are looked up: what changes meanwhile is reported.
        watch::watch_names(self.hashes(|_| true));
        for (place, table) in self.tables.iter_mut().enumerate() {
            let oid = names::relation(self.schema, &table.spelled);
            if oid != table.oid {
                (table.oid, table.read) = (oid, None);
                watch::set(Stale::table(place));
            }
        }
        watch::watch_tables(self.tables.iter().map(|table| table.oid).collect());
        // A table that exists is reported by its OID, and read again: that shows whether it still has the name.
        watch::watch_names(self.hashes(|table| table.oid == pg_sys::InvalidOid));
        for relation in &mut self.relations {
            relation.exists = names::relation(self.schema, &relation.spelled) != pg_sys::InvalidOid;
        }
        for function in &mut self.functions {
            function.exists = names::has_function(self.schema, &function.spelled, function.arguments);
        }
        unfinished.finish();
    }

    /// The hash values of the names of all relations, and of some tables.
    fn hashes(&self, of_table: impl Fn(&Watched) -> bool) -> Vec<u32> {
        let tables = self.tables.iter().filter(|table| of_table(table)).map(|table| &table.spelled);
        let names = tables.chain(self.relations.iter().map(|relation| &relation.spelled));
        names.map(|name| names::hash(self.schema, name)).collect()
    }

    /// Reads those of the `due` tables that can be locked, and returns the others. A table that another transaction is
    /// altering is as it was read before, until that transaction ends: waiting for it would have a sweep wait for a table
    /// that its statement may not even name. A table that was never read is waited for.
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
            // A table that is locked already is not locked again: a session that waits for it would come first.
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

    /// A table; None where it does not exist.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables[self.place(name)?].read.as_ref()
    }

    /// Whether there is a relation of this name.
    pub fn has_relation(&self, name: &str) -> bool {
        self.relations.iter().any(|relation| relation.name == name && relation.exists)
    }

    /// Whether there is a function of this name with these arguments.
    pub fn has_function(&self, name: &str, arguments: &[pg_sys::Oid]) -> bool {
        let mut there = self.functions.iter().filter(|function| function.exists);
        there.any(|function| function.name == name && function.arguments == arguments)
    }
}

/// Flags that are set again when the value is dropped: an error ended the reading, or it was not possible.
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
