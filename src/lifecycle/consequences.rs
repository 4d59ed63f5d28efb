//! The consequences of failed tasks, in one transaction and a fixed number of statements.
//!
//! Every function that fails a task calls this module. The caller holds the locks of [`crate::lifecycle::lock_set`] on
//! every row that the steps write.

use std::collections::{BTreeSet, HashMap};

use pgrx::Uuid;
use pgrx::prelude::*;

use super::event::{Call, TaskSnapshot};
use super::features::Feature;
use super::{retry_policy, rows_in_work, sessions};
use crate::postgres::statement::{Arg, Statement, arg};

static FAIL: Statement = Statement::volatile(sql!("lifecycle/consequences/fail.sql")).by_id();
static FAIL_WAITING: Statement = Statement::volatile(sql!("lifecycle/consequences/fail_waiting.sql")).by_id();
static RETRY: Statement = Statement::volatile(sql!("lifecycle/consequences/retry.sql")).by_id();
static RESET_ISSUES: Statement = Statement::volatile(sql!("lifecycle/consequences/reset_issues.sql")).by_id();
static FOLLOW_AUTOPILOT: Statement = Statement::volatile(sql!("lifecycle/consequences/follow_autopilot.sql")).by_id();
static POINT_CHATS: Statement = Statement::volatile(sql!("lifecycle/consequences/point_chats.sql")).by_id();
static SETTLE_QUOTA: Statement = Statement::volatile(sql!("lifecycle/consequences/settle_quota.sql")).by_id();
static LOCK_TOKENS: Statement = Statement::volatile(sql!("lifecycle/consequences/lock_tokens.sql"));
static DELETE_TOKENS: Statement = Statement::volatile(sql!("lifecycle/consequences/delete_tokens.sql")).by_id();
static RECONCILE_AGENTS: Statement =
    Statement::volatile(sql!("lifecycle/consequences/reconcile_agents.sql")).in_index_order();

/// Why tasks are failed: the text of `error` and the word of `failure_reason`.
pub struct Reason {
    /// Text for people.
    pub error: &'static str,
    /// Word that decides whether there is a retry.
    pub word: &'static str,
}

/// The runtime is offline.
pub const RUNTIME_OFFLINE: Reason = Reason { error: "runtime went offline", word: "runtime_offline" };
/// The daemon restarted and no longer knows the task.
pub const RUNTIME_RECOVERY: Reason =
    Reason { error: "daemon restarted while task was in flight", word: "runtime_recovery" };
/// The daemon is alive and no longer names the task.
pub const LOST: Reason = Reason { error: "daemon no longer works on the task", word: "runtime_recovery" };
/// The running task gave no sign of life for too long.
pub const IDLE_TIMEOUT: Reason = Reason { error: "task gave no sign of life", word: "idle_timeout" };
/// The task was dispatched or running for too long.
pub const TIMEOUT: Reason = Reason { error: "task timed out", word: "timeout" };
/// The task was queued for too long.
pub const QUEUED_EXPIRED: Reason = Reason { error: "task expired in queue", word: "queued_expired" };
/// The runtime for which a deferred retry waited did not come back.
pub const RECONNECT_TIMEOUT: Reason =
    Reason { error: "runtime did not reconnect within the configured grace period", word: "runtime_reconnect_timeout" };

/// The consequences of a set of failed tasks.
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

/// Fails tasks in flight; returns those that it failed.
pub fn fail(tasks: Vec<Uuid>, reason: &Reason, now: TimestampWithTimeZone) -> Vec<TaskSnapshot> {
    rows_in_work::set(&tasks);
    TaskSnapshot::read(&FAIL, &[arg(tasks), arg(now), arg(reason.error), arg(reason.word)])
}

/// Fails tasks that no daemon has yet; returns those that it failed.
pub fn fail_waiting(tasks: Vec<Uuid>, reason: &Reason, now: TimestampWithTimeZone) -> Vec<TaskSnapshot> {
    rows_in_work::set(&tasks);
    TaskSnapshot::read(&FAIL_WAITING, &[arg(tasks), arg(now), arg(reason.error), arg(reason.word)])
}

/// Applies all consequences, in a fixed order, and announces their events. The retries of the whole set come before the
/// resets of issues, so that the outcome does not depend on the order of the rows. `is_announced`: whether to record a
/// task:failed event for a task.
pub fn apply_consequences(
    failed: &[TaskSnapshot],
    is_announced: impl Fn(Uuid) -> bool,
    call: &mut Call,
) -> Consequences {
    if failed.is_empty() {
        return Consequences::default();
    }
    let now = call.now();
    let tasks = ids(failed.iter());
    rows_in_work::set(&tasks);
    let retries = RETRY.rows(&for_retry(tasks, now), TaskSnapshot::reader());
    let issues = set_back_to_todo(failed, now);
    let runs = follow_autopilot(failed, now);
    point_chats(failed, now);
    delete_tokens(failed);
    let agents = reconcile(&agents_of(failed), now);

    let mut by_parent: HashMap<Option<Uuid>, TaskSnapshot> =
        retries.into_iter().map(|retry| (retry.parent(), retry)).collect();
    let mut retries = Vec::with_capacity(by_parent.len());
    for task in failed {
        let retry = by_parent.remove(&Some(task.id())).map(|retry| retry.within(task.workspace()));
        if is_announced(task.id()) {
            call.task_failed(task, retry.as_ref().map(TaskSnapshot::id));
        }
        if let Some(retry) = retry {
            if !retry.is_deferred() {
                call.task_queued(&retry);
            }
            retries.push(retry.id());
        }
    }
    for (issue, status) in &issues {
        call.issue_updated(*issue, status);
    }
    for run in runs {
        call.run_done(run);
    }
    for agent in &agents {
        call.agent_status(*agent);
    }
    Consequences { retries, issues_reset: issues.len() as i64, agents_reconciled: agents.len() as i64 }
}

/// Queues or defers the retry of a failed task if it is eligible.
pub fn retry(failed: Uuid, now: TimestampWithTimeZone) -> Option<TaskSnapshot> {
    let retries = TaskSnapshot::read(&RETRY, &for_retry(vec![failed], now));
    retries.into_iter().next()
}

fn for_retry(failed: Vec<Uuid>, now: TimestampWithTimeZone) -> Vec<Arg> {
    [arg(failed), arg(now)].into_iter().chain(retry_policy::of_retries()).collect()
}

/// Sets the issues of the tasks to todo if they are still in progress and have no active task; returns the issues that
/// it set, each with the status that it had.
fn set_back_to_todo(tasks: &[TaskSnapshot], now: TimestampWithTimeZone) -> Vec<(Uuid, String)> {
    let issues: BTreeSet<Uuid> = tasks.iter().filter_map(TaskSnapshot::issue).collect();
    if issues.is_empty() {
        return Vec::new();
    }
    let issues: Vec<Uuid> = issues.into_iter().collect();
    RESET_ISSUES.rows(&[arg(issues), arg(now)], |row| (row.must(1), row.must(2)))
}

/// Resets the issues of tasks that were cancelled, and therefore did not fail.
pub fn reset_issues(tasks: &[TaskSnapshot], call: &mut Call) {
    for (issue, status) in set_back_to_todo(tasks, call.now()) {
        call.issue_updated(issue, &status);
    }
}

/// Ends the autopilot runs of the tasks, and those of their issues that have no active task, and releases their quota;
/// returns the runs that changed.
pub fn follow_autopilot(tasks: &[TaskSnapshot], now: TimestampWithTimeZone) -> Vec<Uuid> {
    let may_end_run = |task: &&TaskSnapshot| task.is_of_run() || (task.issue().is_some() && task.has_failed());
    let of_runs = ids(tasks.iter().filter(may_end_run));
    if of_runs.is_empty() {
        return Vec::new();
    }
    let ended: Vec<Uuid> = FOLLOW_AUTOPILOT.rows(&[arg(of_runs), arg(now)], |row| row.must(1));
    settle_quota(&ended, "released", now);
    ended
}

/// Settles what the runs have reserved of their quota: `state` is released or consumed. The caller holds the locks on
/// both rows.
pub fn settle_quota(runs: &[Uuid], state: &str, now: TimestampWithTimeZone) {
    if !runs.is_empty() && Feature::Quota.is_present() {
        SETTLE_QUOTA.run(&[arg(runs.to_vec()), arg(now), arg(state)]);
    }
}

/// Deletes the tokens of tasks that have ended. A token that another session holds stays; it expires within a day.
pub fn delete_tokens(ended: &[TaskSnapshot]) {
    if ended.is_empty() || !Feature::Token.is_present() {
        return;
    }
    let tokens: Vec<Uuid> = LOCK_TOKENS.rows(&[arg(ids(ended.iter()))], |row| row.must(1));
    if !tokens.is_empty() {
        DELETE_TOKENS.run(&[arg(tokens)]);
    }
}

/// Stores in each chat the session and the working directory in which its turn ended, or forgets a session that must
/// not be resumed. A chat in which nothing changes is not written.
pub fn point_chats(tasks: &[TaskSnapshot], now: TimestampWithTimeZone) {
    point(tasks, now, false);
}

/// As [`point_chats`], for a turn that its daemon ends at this moment: its chat is written in any case.
pub fn point_chat(turn: &TaskSnapshot, now: TimestampWithTimeZone) {
    point(std::slice::from_ref(turn), now, true);
}

fn point(tasks: &[TaskSnapshot], now: TimestampWithTimeZone, ends_now: bool) {
    let turns = ids(tasks.iter().filter(|task| task.is_turn()));
    if !turns.is_empty() {
        let mut args = vec![arg(turns), arg(now)];
        args.extend(retry_policy::of_sessions());
        args.extend([arg(ends_now), arg(sessions::UNSAFE_ERROR)]);
        POINT_CHATS.run(&args);
    }
}

/// Sets the status of these agents to match their tasks; returns those that changed.
pub fn reconcile(agents: &[Uuid], now: TimestampWithTimeZone) -> Vec<Uuid> {
    RECONCILE_AGENTS.rows(&[arg(agents.to_vec()), arg(now)], |row| row.must(1))
}

/// Returns the agents of the tasks.
pub fn agents_of(tasks: &[TaskSnapshot]) -> Vec<Uuid> {
    let agents: BTreeSet<Uuid> = tasks.iter().filter_map(TaskSnapshot::agent).collect();
    agents.into_iter().collect()
}

fn ids<'a>(tasks: impl Iterator<Item = &'a TaskSnapshot>) -> Vec<Uuid> {
    tasks.map(TaskSnapshot::id).collect()
}
