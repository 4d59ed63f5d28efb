//! Where waiting tasks wait: on the runtime where their agent lives.

use pgrx::Uuid;

use super::event::{Call, TaskSnapshot};
use crate::postgres::statement::{Statement, arg};

static BRING_HOME: Statement = Statement::volatile(sql!("lifecycle/placement/bring_home.sql")).by_id();

/// Moves waiting tasks to the runtimes on which their agents live now, and announces them there. The caller holds the
/// locks of agents and runtimes. Returns how many it moved.
pub fn bring_home(tasks: Vec<Uuid>, homes: Vec<Uuid>, call: &mut Call) -> usize {
    let moved = TaskSnapshot::read(&BRING_HOME, &[arg(tasks), arg(homes)]);
    for task in &moved {
        call.task_queued(task);
    }
    moved.len()
}
