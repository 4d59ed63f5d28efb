//! The call that deletes runtimes that were offline for long. Their history is kept.

use pgrx::prelude::*;

use crate::argument::{bound, seconds};
use crate::lifecycle::collection::delete_expired;
use crate::lifecycle::event::call;
use crate::lifecycle::writer;
use crate::postgres::composite::{Composite, set};
use crate::types::RuntimeRef;

extension_sql_file!(
    "../../sql/extension/comments/gc.sql",
    name = "gc_comments",
    requires = [multica_delete_stale_offline_runtimes]
);

/// Deletes runtimes that were offline for longer than `ttl_secs`, and that have neither a bound agent nor an active
/// task (DeleteStaleOfflineRuntimes). Tasks of agents that are bound to another runtime move to that runtime first, so
/// that no history is lost.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_stale_offline_runtimes(
    ttl_secs: Option<f64>,
    max_runtimes: default!(Option<i32>, "NULL"),
) -> SetOfIterator<'static, Composite<RuntimeRef>> {
    call(|call| {
        let ttl = seconds("ttl_secs", ttl_secs)?;
        let limit = bound("max_runtimes", max_runtimes)?;
        Ok(set(writer::write(call.now(), |writer| {
            call.part(|part| delete_expired(ttl, limit, writer, part, Composite::from_row).0)
        })))
    })
}
