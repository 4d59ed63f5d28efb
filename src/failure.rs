//! The failure pipeline: what follows from failed tasks, in one transaction and a fixed number of statements.
//!
//! Every path that fails a task ends here. The caller holds the locks of [`crate::lock`] on everything the steps touch.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::json;

use crate::event::{Events, Told};
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
    pub retries: Vec<Uuid>,
    /// Issues set back to todo.
    pub issues_reset: i64,
    /// Agents whose status changed.
    pub agents_reconciled: i64,
}

impl Consequences {
    /// How many retries were queued.
    pub fn retried(&self) -> i64 {
        self.retries.len() as i64
    }
}

impl std::ops::AddAssign for Consequences {
    fn add_assign(&mut self, other: Self) {
        self.retries.extend(other.retries);
        self.issues_reset += other.issues_reset;
        self.agents_reconciled += other.agents_reconciled;
    }
}

/// Fails tasks in flight; gives those that it failed.
pub fn fail(tasks: Vec<Uuid>, reason: &Reason, now: TimestampWithTimeZone) -> Vec<Told> {
    hold(&tasks);
    Told::read(
        &FAIL,
        &[arg(tasks), arg(now), arg(reason.error), arg(reason.word)],
    )
}

/// The five steps, in order. Retries come before resets for the whole set, so that the outcome does not depend on the
/// order of rows. `is_announced`: whether to record a task:failed event for a task; the fifth step, the insert of all
/// events, is the caller's, once a call.
pub fn follow(
    failed: &[Told],
    is_announced: impl Fn(Uuid) -> bool,
    now: TimestampWithTimeZone,
    events: &mut Events,
) -> Consequences {
    if failed.is_empty() {
        return Consequences::default();
    }
    let tasks = ids(failed.iter());
    hold(&tasks);
    let retries = RETRY.rows(&[arg(tasks), arg(now)], Told::reader());
    let issues = todo_again(failed, now);
    let runs = follow_autopilot(failed, now);
    point_chats(failed, now);
    let agents = reconcile(&agents_of(failed), now);

    let mut by_parent: HashMap<Option<Uuid>, Told> = retries
        .into_iter()
        .map(|retry| (retry.parent(), retry))
        .collect();
    let mut retries = Vec::with_capacity(by_parent.len());
    for task in failed {
        let retry = by_parent.remove(&Some(task.id()));
        let retry = retry.map(|retry| {
            let retry = retry.within(task.workspace());
            events.task("task:queued", &retry);
            retries.push(retry.id());
            retry.id()
        });
        if is_announced(task.id()) {
            events.failed(task, retry);
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
        retries,
        issues_reset: issues.len() as i64,
        agents_reconciled: agents.len() as i64,
    }
}

/// Queues the retry of a failed task if it is eligible.
pub fn retry(failed: Uuid, now: TimestampWithTimeZone) -> Option<Told> {
    let retries = Told::read(&RETRY, &[arg(vec![failed]), arg(now)]);
    retries.into_iter().next()
}

/// Issues of the tasks that are still in progress with nothing active left go back to todo; gives those that did.
fn todo_again(tasks: &[Told], now: TimestampWithTimeZone) -> Vec<Uuid> {
    let issues: BTreeSet<Uuid> = tasks.iter().filter_map(Told::issue).collect();
    if issues.is_empty() {
        return Vec::new();
    }
    let issues: Vec<Uuid> = issues.into_iter().collect();
    RESET_ISSUES.rows(&[arg(issues), arg(now)], |row| row.must(1))
}

fn announce_resets(issues: &[Uuid], events: &mut Events) {
    for issue in issues {
        let detail = json!({ "prev_status": "in_progress" });
        events.push("issue:updated", *issue, detail);
    }
}

/// Sets the issues of tasks right that go away without having failed.
pub fn reset_issues(tasks: &[Told], now: TimestampWithTimeZone, events: &mut Events) {
    announce_resets(&todo_again(tasks, now), events);
}

/// Autopilot runs follow their tasks to the end; gives the runs that changed.
pub fn follow_autopilot(tasks: &[Told], now: TimestampWithTimeZone) -> Vec<Uuid> {
    let of_runs = ids(tasks.iter().filter(|task| task.is_of_run()));
    if of_runs.is_empty() {
        return Vec::new();
    }
    FOLLOW_AUTOPILOT.rows(&[arg(of_runs), arg(now)], |row| row.must(1))
}

/// Chats remember where those of the tasks that ran were when they ended.
pub fn point_chats(tasks: &[Told], now: TimestampWithTimeZone) {
    let turns = ids(tasks.iter().filter(|task| task.is_turn()));
    if !turns.is_empty() {
        POINT_CHATS.run(&[arg(turns), arg(now)]);
    }
}

/// These agents get the status that their tasks call for; gives those that changed.
pub fn reconcile(agents: &[Uuid], now: TimestampWithTimeZone) -> Vec<Uuid> {
    RECONCILE_AGENTS.rows(&[arg(agents.to_vec()), arg(now)], |row| row.must(1))
}

/// The agents of tasks.
pub fn agents_of(tasks: &[Told]) -> Vec<Uuid> {
    let agents: BTreeSet<Uuid> = tasks.iter().filter_map(Told::agent).collect();
    agents.into_iter().collect()
}

fn ids<'a>(tasks: impl Iterator<Item = &'a Told>) -> Vec<Uuid> {
    tasks.map(Told::id).collect()
}

/// Remembers what is being worked on, so that a row that cannot be written can be named after the transaction is gone.
pub fn hold(rows: &[Uuid]) {
    IN_HAND.set(rows.to_vec());
}

/// The rows that were being worked on last; after an error, those among which is the one that failed.
pub fn in_hand() -> Vec<Uuid> {
    IN_HAND.take()
}
