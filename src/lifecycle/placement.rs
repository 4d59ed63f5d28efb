//! The runtime on which a queued task waits: the one that its agent is bound to.

use pgrx::Uuid;

use super::event::{Call, TaskSnapshot};
use crate::postgres::statement::{Statement, arg};

static BRING_HOME: Statement = Statement::volatile(sql!("lifecycle/placement/bring_home.sql")).by_id();

/// Moves waiting tasks to the runtimes that their agents are bound to now, and announces there those that are queued. The caller holds
/// the locks of the agents and the runtimes. Returns how many tasks it moved.
pub fn bring_home(tasks: Vec<Uuid>, homes: Vec<Uuid>, call: &mut Call) -> usize {
    let moved = TaskSnapshot::read(&BRING_HOME, &[arg(tasks), arg(homes), arg(call.now())]);
    for task in moved.iter().filter(|task| task.is_queued()) {
        call.task_queued(task);
    }
    moved.len()
}
