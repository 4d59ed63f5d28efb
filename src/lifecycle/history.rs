//! What agents did on a runtime that is about to go moves to where they live now, so that no history goes with it.
//! Sessions do: they were on that machine, and neither a task nor a chat may resume one elsewhere.

use pgrx::Uuid;

use super::lock_set;
use crate::postgres::statement::{Statement, arg};

static CHATS: Statement = Statement::volatile(sql!("lifecycle/history/chats_of_moving.sql"));
static FORGET: Statement = Statement::volatile(sql!("lifecycle/history/forget_chat_sessions.sql"));
static REPOINT: Statement = Statement::volatile(sql!("lifecycle/history/move_all.sql"));
static LOCK_MOVING: Statement = Statement::volatile(sql!("lifecycle/history/lock_moving.sql")).one_by_one();
static REPOINT_SOME: Statement = Statement::volatile(sql!("lifecycle/history/move_some.sql"));

/// The chats whose history would move away from a runtime.
pub fn chats_of(runtime: Uuid) -> Vec<Uuid> {
    CHATS.rows(&[arg(vec![runtime])], |row| row.must(1))
}

/// Moves all history of a runtime; returns how many tasks. The caller has locked it and [`chats_of`] it.
pub fn move_all(runtime: Uuid) -> u64 {
    forget(chats_of(runtime), &[runtime]);
    REPOINT.run(&[arg(runtime)])
}

/// Moves the history of runtimes that the caller has locked, at most `limit` tasks, and none that another session
/// holds, or whose chat another session holds; returns how many.
pub fn move_free(runtimes: &[Uuid], limit: Option<i64>) -> usize {
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
