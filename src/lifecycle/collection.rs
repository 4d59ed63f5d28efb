//! Collection of runtimes that were offline for long and that nothing uses. Their history is kept.

use std::collections::HashSet;

use pgrx::Uuid;

use super::event::Call;
use super::history::move_free;
use super::lock_set::try_chat_sessions;
use super::merge::chats_using;
use super::writer::Writer;
use crate::postgres::statement::{Row, Statement, arg};

static CANDIDATES: Statement = Statement::volatile(sql!("lifecycle/collection/candidates.sql"));
static UNUSED: Statement = Statement::volatile(sql!("lifecycle/collection/unused.sql"));
static DELETE: Statement = Statement::volatile(sql!("lifecycle/collection/delete.sql"));
static KEPT: Statement = Statement::volatile(sql!("lifecycle/collection/kept.sql"));

/// Deletes at most `limit` runtimes that were offline for longer than `ttl_secs` and that nothing uses, and moves at
/// most as many tasks. The second value is whether a limit was reached. Events are recorded as in
/// [`super::liveness::mark_stale`].
pub fn delete_expired<R>(
    ttl_secs: f64,
    limit: Option<i64>,
    writer: &mut Writer,
    call: &mut Call,
    mut decode: impl FnMut(&Row) -> R,
) -> (Vec<R>, bool) {
    let exclude = writer.exclude();
    let args = [arg(call.now()), arg(ttl_secs), arg(exclude), arg(limit)];
    let candidates: Vec<Uuid> = CANDIDATES.rows(&args, |row| row.must(1));
    if candidates.is_empty() {
        return (Vec::new(), false);
    }
    let hit = |count: usize| limit.is_some_and(|limit| count as i64 >= limit);
    let more = hit(candidates.len());
    let unused = with_free_chats(UNUSED.rows(&[arg(candidates)], |row| row.must(1)));
    let mut left_tasks = false;
    let (deleted, rows) = writer.runtimes(&unused, "runtime_gc", call, |piece| {
        left_tasks |= hit(move_free(piece, limit));
        DELETE.rows(&[arg(piece.to_vec())], |row| ((row.must::<Uuid>(2), row.must::<Uuid>(1)), decode(row)))
    });
    if deleted.len() < unused.len() {
        let left: Vec<Uuid> = unused.iter().copied().filter(|id| !deleted.contains(id)).collect();
        let kept: Vec<Uuid> = KEPT.rows(&[arg(left)], |row| row.must(1));
        writer.keep_out(&kept, []);
    }
    (rows, more || left_tasks)
}

/// Leaves out the runtimes of which another session holds a chat session, because their deletion would wait for it.
fn with_free_chats(runtimes: Vec<Uuid>) -> Vec<Uuid> {
    let using = chats_using(&runtimes);
    if using.is_empty() {
        return runtimes;
    }
    let free: HashSet<Uuid> = try_chat_sessions(using.iter().map(|(_, chat)| *chat).collect()).into_iter().collect();
    let held: HashSet<Uuid> = using.into_iter().filter(|(_, chat)| !free.contains(chat)).map(|(of, _)| of).collect();
    runtimes.into_iter().filter(|runtime| !held.contains(runtime)).collect()
}
