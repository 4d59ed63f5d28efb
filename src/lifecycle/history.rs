//! The history of a runtime that is about to be deleted. Its tasks move to the runtimes that their agents are bound to
//! now, so that they are not deleted with it. Their session ids are removed, because the sessions were on the old
//! machine, and neither a task nor a chat may resume them elsewhere. Tasks of agents without a runtime are detached.

use pgrx::Uuid;

use super::features::Feature;
use super::lock_set;
use crate::postgres::statement::{Statement, arg};

static CHATS: Statement = Statement::volatile(sql!("lifecycle/history/chats_of_moving.sql"));
static FORGET: Statement = Statement::volatile(sql!("lifecycle/history/forget_chat_sessions.sql"));
static REPOINT: Statement = Statement::volatile(sql!("lifecycle/history/move_all.sql"));
static DETACH: Statement = Statement::volatile(sql!("lifecycle/history/detach_all.sql"));
static LOCK_DETACHABLE: Statement = Statement::volatile(sql!("lifecycle/history/lock_detachable.sql")).one_by_one();
static DETACH_SOME: Statement = Statement::volatile(sql!("lifecycle/history/detach_some.sql"));
static LOCK_MOVING: Statement = Statement::volatile(sql!("lifecycle/history/lock_moving.sql")).one_by_one();
static REPOINT_SOME: Statement = Statement::volatile(sql!("lifecycle/history/move_some.sql"));

/// Returns the chats whose tasks would move away from a runtime.
pub fn chats_of(runtime: Uuid) -> Vec<Uuid> {
    CHATS.rows(&[arg(vec![runtime])], |row| row.must(1))
}

/// Moves all tasks of agents that are bound to another runtime; returns how many. The caller has locked the runtime and
/// the chats that [`chats_of`] returns.
pub fn move_all(runtime: Uuid) -> u64 {
    forget(chats_of(runtime), &[runtime]);
    REPOINT.run(&[arg(runtime)])
}

/// Moves the ended tasks of agents that have no runtime to the runtime `into`, or detaches them if it is None; returns
/// how many. The server no longer counts what a detached task has used. The caller has locked the runtimes and the
/// tasks.
pub fn detach_all(runtime: Uuid, into: Option<Uuid>) -> u64 {
    if !Feature::Unbound.is_present() {
        return 0;
    }
    DETACH.run(&[arg(runtime), arg(into)])
}

/// Moves at most `limit` ended tasks away from runtimes that the caller has locked, to the runtimes of their agents;
/// detaches the tasks of agents that have none. Returns how many. A task is skipped if another session holds the task or
/// its chat.
pub fn move_free(runtimes: &[Uuid], limit: Option<i64>) -> usize {
    let moved = move_to_agents(runtimes, limit);
    let left = limit.map(|limit| limit - moved as i64);
    if left == Some(0) || !Feature::Unbound.is_present() {
        return moved;
    }
    let detachable: Vec<Uuid> = LOCK_DETACHABLE.rows(&[arg(runtimes.to_vec()), arg(left)], |row| row.must(1));
    if !detachable.is_empty() {
        DETACH_SOME.run(&[arg(detachable.clone())]);
    }
    moved + detachable.len()
}

fn move_to_agents(runtimes: &[Uuid], limit: Option<i64>) -> usize {
    let args = [arg(runtimes.to_vec()), arg(limit)];
    let mut moving: Vec<(Uuid, Uuid, Option<Uuid>)> =
        LOCK_MOVING.rows(&args, |row| (row.required("id"), row.required("runtime_id"), row.column("chat_session_id")));
    let chats: Vec<Uuid> = moving.iter().filter_map(|(_, _, chat)| *chat).collect();
    if !chats.is_empty() {
        let free = lock_set::try_chat_sessions(chats);
        moving.retain(|(_, _, chat)| chat.is_none_or(|chat| free.contains(&chat)));
        forget(free, runtimes);
    }
    if moving.is_empty() {
        return 0;
    }
    let (tasks, homes): (Vec<_>, Vec<_>) = moving.iter().map(|(task, home, _)| (*task, *home)).unzip();
    REPOINT_SOME.run(&[arg(tasks), arg(homes)]);
    moving.len()
}

fn forget(chats: Vec<Uuid>, runtimes: &[Uuid]) {
    if !chats.is_empty() {
        FORGET.run(&[arg(chats), arg(runtimes.to_vec())]);
    }
}
