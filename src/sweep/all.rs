//! A check that the procedure `multica_sweep_all` cannot do in PL/pgSQL.

use pgrx::prelude::*;

use crate::postgres::entry::entry;

extension_sql_file!(
    "../../sql/extension/comments/sweep_all.sql",
    name = "sweep_all_comments",
    requires = [multica_can_commit]
);

/// Whether the calling procedure may commit; false inside a transaction block or a function. PL/pgSQL itself notices
/// this only when a COMMIT fails, and that error has no hint.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_can_commit() -> bool {
    // SAFETY: reads the state of the connection that the calling procedure has to SPI.
    entry(|| Ok(unsafe { pg_sys::SPI_inside_nonatomic_context() }))
}
