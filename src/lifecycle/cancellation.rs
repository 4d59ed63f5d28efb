//! Cancelling tasks, with the same consequences whichever call it is for.

use pgrx::Uuid;

use super::consequences;
use super::event::{Call, TaskSnapshot};
use crate::postgres::statement::{Statement, arg};

static CANCEL: Statement = Statement::volatile(sql!("lifecycle/cancellation/cancel.sql")).by_id();

/// Cancels active tasks whose locks are held, with the events in the order a subscriber expects: agents, tasks,
/// autopilot runs. Gives those that it cancelled.
pub fn cancel(tasks: Vec<Uuid>, call: &mut Call) -> Vec<TaskSnapshot> {
    let now = call.now();
    let cancelled = TaskSnapshot::read(&CANCEL, &[arg(tasks), arg(now)]);
    consequences::point_chats(&cancelled, now);
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
