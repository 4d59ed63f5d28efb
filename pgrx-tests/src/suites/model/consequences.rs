//! The consequences of the end of tasks.

use super::task::{Status, Task};
use super::world::Model;

/// Seconds after which the retry of a [delayed](retry_rule) failure is due, as in the fixture.
const RETRY_DELAY: i64 = 120;

/// The consequences of failed tasks.
#[derive(Default)]
pub struct Consequences {
    /// Failed tasks and their retries.
    pub retries: Vec<(usize, usize)>,
    /// The number of issues that were reset.
    pub issues: usize,
    /// The number of agents whose status changed.
    pub agents: usize,
}

impl std::ops::AddAssign for Consequences {
    fn add_assign(&mut self, other: Self) {
        self.retries.extend(other.retries);
        self.issues += other.issues;
        self.agents += other.agents;
    }
}

/// Returns how many attempts a task may have after it failed for its reason, and after how many seconds the next one is
/// due; None if it is not retried.
fn retry_rule(task: &Task) -> Option<(i32, Option<i64>)> {
    match task.reason? {
        "runtime_offline" | "runtime_recovery" | "timeout" => Some((task.max_attempts, None)),
        "agent_error.provider_network" if task.max_attempts > 1 => Some((3, Some(RETRY_DELAY))),
        _ => None,
    }
}

impl Model {
    /// Fails tasks, with all consequences.
    pub fn fail(&mut self, failing: &[usize], reason: &'static str) -> Consequences {
        for &at in failing {
            self.finish(at, Status::Failed);
            self.tasks[at].reason = Some(reason);
        }
        self.apply_consequences(failing)
    }

    /// Ends a task.
    pub fn finish(&mut self, at: usize, status: Status) {
        let now = self.now;
        let task = &mut self.tasks[at];
        task.status = status;
        task.completed = Some(now);
        task.lease = None;
    }

    /// Applies the consequences of failed tasks: retries, issues, agents, events.
    pub fn apply_consequences(&mut self, failed: &[usize]) -> Consequences {
        let retries = self.retry(failed);
        let mut issues = 0;
        for issue in 0..self.issues.len() {
            let had_failure = failed.iter().any(|at| self.tasks[*at].issue == Some(issue));
            let active = self.any(|task| task.issue == Some(issue) && task.is_active());
            if had_failure && !active && self.issues[issue] == "in_progress" {
                self.issues[issue] = "todo";
                self.event("issue:updated");
                issues += 1;
            }
        }
        let agents = self.reconcile_of(failed);
        for at in failed {
            if !std::mem::replace(&mut self.tasks[*at].announced, true) {
                self.event("task:failed");
            }
        }
        Consequences { retries, issues, agents }
    }

    /// Queues or defers the retries of the tasks that may have one.
    pub fn retry(&mut self, failed: &[usize]) -> Vec<(usize, usize)> {
        let mut eligible: Vec<usize> = failed.iter().copied().filter(|at| self.may_be_retried(*at)).collect();
        eligible.sort_by_key(|at| self.tasks[*at].order());
        let mut retries = Vec::new();
        for (place, at) in eligible.into_iter().enumerate() {
            let Some((max_attempts, delay)) = retry_rule(&self.tasks[at]) else { continue };
            let due = delay.map(|secs| self.ago(-secs));
            let task = self.tasks[at].next_attempt(at, self.now + 1 + place as i64).deferred(due);
            let mut task = Task { runtime: self.agents[task.agent].runtime, max_attempts, ..task };
            if let Some(chat) = task.chat {
                let queued =
                    self.tasks.iter().filter(|other| other.chat == Some(chat) && other.status == Status::Queued);
                let highest = queued.map(|other| other.priority).max().unwrap_or(3);
                task.priority = task.priority.max(3).max(highest);
            }
            if self.slot(&task).is_none() {
                self.insert(task);
                retries.push((at, self.tasks.len() - 1));
            }
        }
        retries
    }

    fn may_be_retried(&self, at: usize) -> bool {
        let parent = &self.tasks[at];
        let ran_later = |other: &Task| {
            other.completed > parent.completed && (other.status != Status::Cancelled || other.dispatched.is_some())
        };
        let blocks_retry = |other: &Task| {
            (parent.same_pair(other) || parent.same_chat(other)) && (other.in_flight() || ran_later(other))
        };
        parent.status == Status::Failed
            && retry_rule(parent).is_some_and(|(most, _)| parent.attempt < most)
            && !self.agents[parent.agent].archived
            && !self.any(|other| other.parent == Some(at))
            && !self.any(blocks_retry)
    }

    /// Cancels those of the tasks that are active; returns how many.
    pub fn cancel(&mut self, tasks: &[usize]) -> usize {
        let active: Vec<usize> = tasks.iter().copied().filter(|at| self.tasks[*at].is_active()).collect();
        for &at in &active {
            self.finish(at, Status::Cancelled);
            self.event("task:cancelled");
        }
        self.reconcile_of(&active);
        active.len()
    }

    /// Reconciles the agents of these tasks; returns how many changed.
    pub fn reconcile_of(&mut self, tasks: &[usize]) -> usize {
        (0..self.agents.len())
            .filter(|agent| tasks.iter().any(|at| self.tasks[*at].agent == *agent))
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|agent| self.reconcile(*agent))
            .count()
    }

    /// Reconciles one agent; returns whether its status changed.
    pub fn reconcile(&mut self, agent: usize) -> bool {
        let working = self.any(|task| task.agent == agent && task.occupies_agent());
        let changed = working != self.agents[agent].working;
        self.agents[agent].working = working;
        if changed {
            self.event("agent:status");
        }
        changed
    }
}
