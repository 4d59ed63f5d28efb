//! Cancels tasks, with the same consequences for every call.

use pgrx::Uuid;

use super::consequences;
use super::event::{Call, TaskSnapshot};
use crate::postgres::statement::{Statement, arg};

static CANCEL: Statement = Statement::volatile(sql!("lifecycle/cancellation/cancel.sql")).by_id();

/// Cancels active tasks whose locks are held, and returns the tasks that it cancelled. The events are announced in the
/// order that a reader expects: agents, tasks, autopilot runs.
pub fn cancel(tasks: Vec<Uuid>, call: &mut Call) -> Vec<TaskSnapshot> {
    let now = call.now();
    let cancelled = TaskSnapshot::read(&CANCEL, &[arg(tasks), arg(now)]);
    consequences::point_chats(&cancelled, now);
    consequences::delete_tokens(&cancelled);
    for agent in consequences::reconcile(&consequences::agents_of(&cancelled), now) {
        call.agent_status(agent);
    }
    for task in &cancelled {
        call.task_cancelled(task);
    }
    for run in consequences::follow_autopilot(&cancelled, now) {
        call.run_done(run);
    }
    cancelled
}
