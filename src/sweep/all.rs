//! What the procedure `multica_sweep_all` cannot do in PL/pgSQL: a check, and reading the tables as their owner.

use pgrx::prelude::*;

use crate::postgres::entry::{entry, entry_as_caller};
use crate::postgres::statement::Statement;

static PARTS: Statement = Statement::stable(sql!("sweep/parts.sql"));

extension_sql_file!(
    "../../sql/extension/comments/sweep_all.sql",
    name = "sweep_all_comments",
    requires = [multica_can_commit, multica_count_sweep_parts]
);

/// Whether the calling procedure may commit; false inside a transaction block or a function. PL/pgSQL itself notices
/// this only when a COMMIT fails, and that error has no hint.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_can_commit() -> bool {
    // SAFETY: reads the state of the connection that the calling procedure has to SPI.
    entry_as_caller(|| Ok(unsafe { pg_sys::SPI_inside_nonatomic_context() }))
}

/// Returns how many parts a sweep of everything that is due has at most.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_count_sweep_parts() -> i64 {
    entry(|| Ok(PARTS.row(&[], |row| row.must(1)).expect("one row")))
}
