//! The consequences of the end of tasks.

use super::task::{Status, Task};
use super::world::Model;

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
        self.tasks[at].status = status;
        self.tasks[at].completed = Some(self.now);
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

    /// Queues the retries of the tasks that may have one.
    pub fn retry(&mut self, failed: &[usize]) -> Vec<(usize, usize)> {
        let mut eligible: Vec<usize> = failed.iter().copied().filter(|at| self.may_be_retried(*at)).collect();
        eligible.sort_by_key(|at| self.tasks[*at].order());
        let mut retries = Vec::new();
        for (place, at) in eligible.into_iter().enumerate() {
            let mut task = self.tasks[at].next_attempt(at, self.now + 1 + place as i64);
            task.runtime = self.agents[task.agent].runtime;
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
            && parent.reason.is_some_and(|reason| reason != "agent_error.unknown")
            && parent.attempt < parent.max_attempts
            && !self.agents[parent.agent].archived
            && !self.any(|other| other.parent == Some(at))
            && !self.any(blocks_retry)
    }

    /// Moves a queued task to the current runtime of its agent.
    pub fn move_to_agent(&mut self, at: usize) {
        let current = self.agents[self.tasks[at].agent].runtime;
        if self.tasks[at].status == Status::Queued && self.tasks[at].runtime != current {
            self.tasks[at].runtime = current;
            self.event("task:queued");
        }
    }

    /// Cancels active tasks.
    pub fn cancel(&mut self, which: impl Fn(&Task) -> bool) -> Vec<usize> {
        let active = |at: &usize| self.tasks[*at].is_active() && which(&self.tasks[*at]);
        let cancelled: Vec<usize> = (0..self.tasks.len()).filter(active).collect();
        for &at in &cancelled {
            self.finish(at, Status::Cancelled);
            self.event("task:cancelled");
        }
        self.reconcile_of(&cancelled);
        cancelled
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
        let working = self.any(|task| task.agent == agent && task.in_flight());
        let changed = working != self.agents[agent].working;
        self.agents[agent].working = working;
        if changed {
            self.event("agent:status");
        }
        changed
    }
}
