//! Garbage collection of runtimes that nobody has used for long. History survives it.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::history::move_free;
use crate::argument::{bound, seconds};
use crate::clock;
use crate::entry::entry;
use crate::event::Events;
use crate::kind::RuntimeRef;
use crate::row::{Composite, set};
use crate::spi::{Row, Statement, arg};
use crate::writer::{self, Writer};

static CANDIDATES: Statement =
    Statement::write(include_str!("../../sql/runtime/gc_candidates.sql"));
static UNUSED: Statement = Statement::write(include_str!("../../sql/runtime/gc_unused.sql"));
static DELETE: Statement = Statement::write(include_str!("../../sql/runtime/gc_delete.sql"));
static KEPT: Statement = Statement::write(include_str!("../../sql/runtime/gc_kept.sql"));

extension_sql_file!(
    "../../sql/install/comments/gc.sql",
    name = "gc_comments",
    requires = [multica_delete_stale_offline_runtimes]
);

/// Deletes runtimes that were offline for longer than `ttl_secs` and that nobody uses: at most `most`, re-pointing at
/// most as many tasks. The second value says that a bound was hit. Events as by
/// [`super::mark_stale`].
pub fn collect<R>(
    ttl_secs: f64,
    most: Option<i64>,
    now: TimestampWithTimeZone,
    writer: &mut Writer,
    events: &mut Events,
    mut decode: impl FnMut(&Row) -> R,
) -> (Vec<R>, bool) {
    let leave_out = writer.leave_out();
    let args = [arg(now), arg(ttl_secs), arg(leave_out), arg(most)];
    let candidates: Vec<Uuid> = CANDIDATES.rows(&args, |row| row.must(1));
    if candidates.is_empty() {
        return (Vec::new(), false);
    }
    let hit = |count: usize| most.is_some_and(|most| count as i64 >= most);
    let more = hit(candidates.len());
    let unused: Vec<Uuid> = UNUSED.rows(&[arg(candidates)], |row| row.must(1));
    let mut left_tasks = false;
    let (deleted, rows) = writer.runtimes(&unused, "runtime_gc", now, events, |piece| {
        left_tasks |= hit(move_free(piece, most));
        DELETE.rows(&[arg(piece.to_vec())], |row| {
            ((row.must::<Uuid>(2), row.must::<Uuid>(1)), decode(row))
        })
    });
    if deleted.len() < unused.len() {
        let left: Vec<Uuid> = unused
            .iter()
            .copied()
            .filter(|id| !deleted.contains(id))
            .collect();
        let kept: Vec<Uuid> = KEPT.rows(&[arg(left)], |row| row.must(1));
        writer.keep_out(&kept, []);
    }
    (rows, more || left_tasks)
}

/// Deletes runtimes that were offline for longer than `ttl_secs`, have no agent bound and nothing active
/// (DeleteStaleOfflineRuntimes). Tasks of agents that moved are re-pointed at the agent's runtime first, so that no
/// history is lost.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_stale_offline_runtimes(
    ttl_secs: Option<f64>,
    max_runtimes: default!(Option<i32>, "NULL"),
) -> SetOfIterator<'static, Composite<RuntimeRef>> {
    entry(|| {
        let ttl = seconds("ttl_secs", ttl_secs)?;
        let most = bound("max_runtimes", max_runtimes)?;
        let now = clock::now();
        Ok(set(writer::write(now, |writer| {
            let mut events = Events::default();
            let (rows, _) = collect(ttl, most, now, writer, &mut events, Composite::from_row);
            events.record(now);
            rows
        })))
    })
}
