//! The failure pipeline: what follows from failed tasks, in one transaction and a fixed number of statements.
//!
//! Every path that fails a task ends here. The caller holds the locks of [`crate::lock`] on everything the steps touch.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::json;

use crate::event::Events;
use crate::spi::{Statement, arg};

static FAIL: Statement = Statement::write(include_str!("../sql/failure/fail.sql")).by_id();
static RETRY: Statement = Statement::write(include_str!("../sql/failure/retry.sql")).by_id();
static RESET_ISSUES: Statement =
    Statement::write(include_str!("../sql/failure/reset_issues.sql")).by_id();
static FOLLOW_AUTOPILOT: Statement =
    Statement::write(include_str!("../sql/failure/follow_autopilot.sql")).by_id();
static POINT_CHATS: Statement =
    Statement::write(include_str!("../sql/failure/point_chats.sql")).by_id();
static RECONCILE_AGENTS: Statement =
    Statement::write(include_str!("../sql/failure/reconcile_agents.sql")).in_index_order();

thread_local! {
    static IN_HAND: RefCell<Vec<Uuid>> = const { RefCell::new(Vec::new()) };
}

/// Why tasks are failed: the text of `error` and the word of `failure_reason`.
pub struct Reason {
    /// Text a person reads.
    pub error: &'static str,
    /// Word that decides whether there is a retry.
    pub word: &'static str,
}

/// The runtime is offline.
pub const RUNTIME_OFFLINE: Reason = Reason {
    error: "runtime went offline",
    word: "runtime_offline",
};
/// The daemon restarted and no longer knows the task.
pub const RUNTIME_RECOVERY: Reason = Reason {
    error: "daemon restarted while task was in flight",
    word: "runtime_recovery",
};
/// Dispatched or running for too long.
pub const TIMEOUT: Reason = Reason {
    error: "task timed out",
    word: "timeout",
};

/// How much followed from a set of failed tasks.
#[derive(Default)]
pub struct Consequences {
    /// Retries queued.
    pub retried: i64,
    /// Issues set back to todo.
    pub issues_reset: i64,
    /// Agents whose status changed.
    pub agents_reconciled: i64,
    /// The retries, each by the task it repeats.
    pub retries: HashMap<Uuid, Uuid>,
}

impl std::ops::AddAssign for Consequences {
    fn add_assign(&mut self, other: Self) {
        self.retried += other.retried;
        self.issues_reset += other.issues_reset;
        self.agents_reconciled += other.agents_reconciled;
        self.retries.extend(other.retries);
    }
}

/// Fails tasks in flight; gives those that it failed.
pub fn fail(tasks: Vec<Uuid>, reason: &Reason, now: TimestampWithTimeZone) -> Vec<Uuid> {
    hold(&tasks);
    FAIL.rows(
        &[arg(tasks), arg(now), arg(reason.error), arg(reason.word)],
        |row| row.must(1),
    )
}

/// The five steps, in order. Retries come before resets for the whole set, so that the outcome does not depend on the
/// order of rows. `announced`: the failed tasks to record a task:failed event for; the fifth step, the insert of all
/// events, is the caller's, once a call.
pub fn follow(
    failed: &[Uuid],
    announced: &HashSet<Uuid>,
    now: TimestampWithTimeZone,
    events: &mut Events,
) -> Consequences {
    if failed.is_empty() {
        return Consequences::default();
    }
    hold(failed);
    let retries = retry(failed, now);
    let issues = todo_again(failed, now);
    let runs = follow_autopilot(failed, now);
    point_chats(failed, now);
    let agents = reconcile(failed, &[], now);

    for task in failed {
        let retry = retries.get(task);
        if let Some(retry) = retry {
            events.push("task:queued", *retry, json!({}));
        }
        if announced.contains(task) {
            let retry = retry.map(ToString::to_string);
            events.push("task:failed", *task, json!({ "retry_task_id": retry }));
        }
    }
    announce_resets(&issues, events);
    for run in runs {
        events.push("autopilot:run_done", run, json!({}));
    }
    for agent in &agents {
        events.push("agent:status", *agent, json!({}));
    }
    Consequences {
        retried: retries.len() as i64,
        issues_reset: issues.len() as i64,
        agents_reconciled: agents.len() as i64,
        retries,
    }
}

/// Queues the retries of those of the failed tasks that are eligible; the retry by its parent.
pub fn retry(failed: &[Uuid], now: TimestampWithTimeZone) -> HashMap<Uuid, Uuid> {
    let pairs = RETRY.rows(&[arg(failed.to_vec()), arg(now)], |row| {
        (row.must(2), row.must(1))
    });
    pairs.into_iter().collect()
}

/// Issues of the tasks that are still in progress with nothing active left go back to todo; gives those that did.
fn todo_again(tasks: &[Uuid], now: TimestampWithTimeZone) -> Vec<Uuid> {
    RESET_ISSUES.rows(&[arg(tasks.to_vec()), arg(now)], |row| row.must(1))
}

fn announce_resets(issues: &[Uuid], events: &mut Events) {
    for issue in issues {
        let detail = json!({ "prev_status": "in_progress" });
        events.push("issue:updated", *issue, detail);
    }
}

/// Sets the issues of tasks right that go away without having failed.
pub fn reset_issues(tasks: &[Uuid], now: TimestampWithTimeZone, events: &mut Events) {
    announce_resets(&todo_again(tasks, now), events);
}

/// Autopilot runs follow their tasks to the end; gives the runs that changed.
pub fn follow_autopilot(tasks: &[Uuid], now: TimestampWithTimeZone) -> Vec<Uuid> {
    FOLLOW_AUTOPILOT.rows(&[arg(tasks.to_vec()), arg(now)], |row| row.must(1))
}

/// Chats remember where those of the tasks that ran were when they ended.
pub fn point_chats(tasks: &[Uuid], now: TimestampWithTimeZone) {
    POINT_CHATS.run(&[arg(tasks.to_vec()), arg(now)]);
}

/// The agents of the tasks, and these agents, get the status their tasks call for; gives those that changed.
pub fn reconcile(tasks: &[Uuid], agents: &[Uuid], now: TimestampWithTimeZone) -> Vec<Uuid> {
    let args = [arg(tasks.to_vec()), arg(now), arg(agents.to_vec())];
    RECONCILE_AGENTS.rows(&args, |row| row.must(1))
}

/// Remembers what is being worked on, so that a row that cannot be written can be named after the transaction is gone.
pub fn hold(rows: &[Uuid]) {
    IN_HAND.set(rows.to_vec());
}

/// The rows that were being worked on last; after an error, those among which is the one that failed.
pub fn in_hand() -> Vec<Uuid> {
    IN_HAND.take()
}
