//! The relations that a statement names, and the locks that Postgres takes on them when it runs the statement.

use std::ffi::{CStr, CString, c_void};

use pgrx::prelude::*;
use pgrx::{PgList, is_a};

use crate::postgres::tree::walk_parsed;

/// A relation, named as in the statement, and the lock that the statement takes on it.
pub struct Relation {
    schema: Option<CString>,
    name: CString,
    lock: pg_sys::LOCKMODE,
}

const READ: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
const LOCK_ROWS: pg_sys::LOCKMODE = pg_sys::RowShareLock as pg_sys::LOCKMODE;
const WRITE: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;

struct Found {
    relations: Vec<Relation>,
    /// The lock on relations in the FROM clause that is being walked.
    lock: pg_sys::LOCKMODE,
}

/// Returns the relations that a statement names. The result can contain names of the statement's WITH clause.
pub fn of(sql: &CStr) -> Vec<Relation> {
    let mut found = Found { relations: Vec::new(), lock: READ };
    // SAFETY: the text ends with a NUL byte; the parser returns a list of statements.
    unsafe {
        let parsed = pg_sys::raw_parser(sql.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
        for statement in PgList::<pg_sys::RawStmt>::from_pg(parsed).iter_ptr() {
            walk((*statement).stmt, (&raw mut found).cast());
        }
    }
    found.relations
}

impl Relation {
    /// Locks the relation until the end of the transaction, in the mode that the statement uses. Skips a relation that
    /// does not exist: the statement itself then fails with an error that names the relation.
    pub fn lock(&self) {
        let schema = self.schema.as_ref().map_or(std::ptr::null(), |schema| schema.as_ptr());
        // SAFETY: the names end with a NUL byte and are valid until the lock is taken.
        unsafe {
            let range = pg_sys::makeRangeVar(schema.cast_mut(), self.name.as_ptr().cast_mut(), -1);
            let flags = pg_sys::RVROption::RVR_MISSING_OK;
            pg_sys::RangeVarGetRelidExtended(range, self.lock, flags, None, std::ptr::null_mut());
            pg_sys::pfree(range.cast());
        }
    }
}

impl Found {
    unsafe fn add(&mut self, range: *const pg_sys::RangeVar, lock: pg_sys::LOCKMODE) {
        // SAFETY: the parser sets the name. The schema is set or NULL.
        let (schema, name) = unsafe {
            let schema = (*range).schemaname;
            let schema = (!schema.is_null()).then(|| CStr::from_ptr(schema).to_owned());
            (schema, CStr::from_ptr((*range).relname).to_owned())
        };
        match self.relations.iter_mut().find(|known| known.schema == schema && known.name == name) {
            Some(known) => known.lock = known.lock.max(lock),
            None => self.relations.push(Relation { schema, name, lock }),
        }
    }
}

unsafe extern "C-unwind" fn walk(node: *mut pg_sys::Node, found: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: Postgres passes nodes of the statement, whose tags determine their types, and the value that `of` passed
    // to the walker.
    unsafe {
        let all = &mut *found.cast::<Found>();
        let outer = all.lock;
        match (*node).type_ {
            pg_sys::NodeTag::T_RangeVar => {
                all.add(node.cast(), outer);
                return false;
            }
            // The names in this clause are aliases.
            pg_sys::NodeTag::T_LockingClause => return false,
            pg_sys::NodeTag::T_InsertStmt => all.add((*node.cast::<pg_sys::InsertStmt>()).relation, WRITE),
            pg_sys::NodeTag::T_UpdateStmt => all.add((*node.cast::<pg_sys::UpdateStmt>()).relation, WRITE),
            pg_sys::NodeTag::T_DeleteStmt => all.add((*node.cast::<pg_sys::DeleteStmt>()).relation, WRITE),
            _ => {}
        }
        if is_a(node, pg_sys::NodeTag::T_SelectStmt) {
            let locks = !(*node.cast::<pg_sys::SelectStmt>()).lockingClause.is_null();
            all.lock = if locks { LOCK_ROWS } else { READ };
        }
        let stopped = walk_parsed(node, walk, found);
        (*found.cast::<Found>()).lock = outer;
        stopped
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{LOCK_ROWS, READ, WRITE, of};

    #[pg_test]
    fn relations_are_found_with_their_locks() {
        let sql = c"WITH gone AS (DELETE FROM a USING b WHERE a.id = b.id RETURNING a.id),
            held AS (SELECT x.id FROM c AS x JOIN d ON true FOR UPDATE OF x)
            INSERT INTO e SELECT id FROM gone WHERE EXISTS (SELECT FROM s.f) AND id IN (SELECT id FROM held)";
        let found = of(sql).into_iter().map(|relation| {
            let schema = relation.schema.map_or(String::new(), |schema| format!("{}.", schema.to_str().unwrap()));
            (format!("{schema}{}", relation.name.to_str().unwrap()), relation.lock)
        });
        let mut found: Vec<_> = found.collect();
        found.sort();
        let expected = [
            ("a", WRITE),
            ("b", READ),
            ("c", LOCK_ROWS),
            ("d", LOCK_ROWS),
            ("e", WRITE),
            ("gone", READ),
            ("held", READ),
            ("s.f", READ),
        ];
        assert_eq!(found, expected.map(|(name, lock)| (name.to_string(), lock)));
    }
}
