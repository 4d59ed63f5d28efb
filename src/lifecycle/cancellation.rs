//! Cancels tasks, with the same consequences for every call.

use pgrx::Uuid;

use super::consequences;
use super::event::{Call, TaskSnapshot};
use crate::postgres::statement::{Statement, arg};

static CANCEL: Statement = Statement::volatile(sql!("lifecycle/cancellation/cancel.sql")).by_id();

/// Why a task is cancelled. What is NULL or empty is not stored.
#[derive(Default)]
pub struct Why {
    /// Text for people.
    pub error: Option<String>,
    /// Word for programs.
    pub failure_reason: Option<String>,
}

/// Cancels active tasks whose locks are held, and returns the tasks that it cancelled. Their events are announced before
/// those of what follows: autopilot runs, agents.
pub fn cancel(tasks: Vec<Uuid>, call: &mut Call) -> Vec<TaskSnapshot> {
    cancel_because(tasks, &Why::default(), call)
}

/// As [`cancel`], and stores why.
pub fn cancel_because(tasks: Vec<Uuid>, why: &Why, call: &mut Call) -> Vec<TaskSnapshot> {
    let now = call.now();
    let args = [arg(tasks), arg(now), arg(why.error.clone()), arg(why.failure_reason.clone())];
    let cancelled = TaskSnapshot::read(&CANCEL, &args);
    for task in &cancelled {
        call.task_cancelled(task);
    }
    consequences::point_chats(&cancelled, now);
    consequences::delete_tokens(&cancelled);
    for run in consequences::follow_autopilot(&cancelled, now) {
        call.run_done(run);
    }
    for agent in consequences::reconcile(&consequences::agents_of(&cancelled), now) {
        call.agent_status(agent);
    }
    cancelled
}
