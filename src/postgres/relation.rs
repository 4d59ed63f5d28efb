//! What can be told of a table without reading it.

use std::ffi::CStr;

use pgrx::prelude::*;

/// Whether a table has never had a row, or has been emptied since. It is found in the search path. False for a table
/// that may have rows. A row that a snapshot shows is in a block that the table has had since before the snapshot, so a
/// table without blocks is empty for every statement. This costs less than a statement that finds nothing.
pub fn is_empty(table: &CStr) -> bool {
    const READ: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: the name ends with a NUL byte. The relation is open, and locked, from the second call to the last one; it
    // is NULL if the table does not exist.
    unsafe {
        let relation = pg_sys::try_relation_open(pg_sys::RelnameGetRelid(table.as_ptr()), READ);
        if relation.is_null() {
            return true;
        }
        let is_table = (*(*relation).rd_rel).relkind == pg_sys::RELKIND_RELATION as std::ffi::c_char;
        let is_empty =
            is_table && pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM) == 0;
        pg_sys::relation_close(relation, READ);
        is_empty
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::is_empty;

    #[pg_test]
    fn table_with_a_row_is_not_empty() {
        assert!(is_empty(c"nothing_of_this_name"));
        Spi::run("CREATE TABLE may_have_rows (id integer)").unwrap();
        assert!(is_empty(c"may_have_rows"));
        Spi::run("INSERT INTO may_have_rows VALUES (1)").unwrap();
        assert!(!is_empty(c"may_have_rows"));
        Spi::run("TRUNCATE may_have_rows").unwrap();
        assert!(is_empty(c"may_have_rows"));
    }
}
