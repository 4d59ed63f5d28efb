//! Claims, deferred tasks, and what a daemon does before the start.

use super::play::{Answer, refused, rows, word_for};
use super::step::Token;
use super::task::{Status, Task};
use super::world::{LEASE, Mistake, Model};

/// `multica.redeliver_after` in seconds.
const REDELIVER_AFTER: i64 = 90;

impl Model {
    /// Dispatches tasks of a runtime. The claim counts as a heartbeat, and queues deferred tasks first.
    pub fn claim(&mut self, runtime: usize, most: usize, process: Option<usize>) -> Vec<usize> {
        self.give_sign_of_life(runtime);
        self.promote(|of| of == runtime);
        let chosen = self.choose(runtime, most);
        let lease = self.ago(-LEASE);
        for &at in &chosen {
            if self.tasks[at].status == Status::Queued {
                self.event("task:dispatch");
            }
            let (now, task) = (self.now, &mut self.tasks[at]);
            *task =
                Task { status: Status::Dispatched, dispatched: Some(now), lease: Some(lease), process, ..task.clone() };
        }
        self.reconcile_of(&chosen);
        chosen
    }

    fn choose(&self, runtime: usize, most: usize) -> Vec<usize> {
        let may_work = |agent: usize| !self.agents[agent].archived || self.is_mistaken(Mistake::ArchivedAgent);
        let here = |task: &Task| task.runtime == runtime && may_work(task.agent);
        let is_unstarted = |task: &Task| {
            let is_leased = task.lease.is_some_and(|until| until > self.now) && !self.is_mistaken(Mistake::Lease);
            let is_old = task.dispatched.is_some_and(|at| at < self.ago(REDELIVER_AFTER));
            task.status == Status::Dispatched && here(task) && is_old && !is_leased
        };
        let mut redelivered = self.tasks_where(is_unstarted);
        redelivered.sort_by_key(|at| (self.tasks[*at].dispatched, self.tasks[*at].id));
        let mut new: Vec<usize> = Vec::new();
        for (agent, row) in self.agents.iter().enumerate() {
            let in_flight = self.count_in_flight(|task| task.agent == agent);
            let free = usize::try_from(row.capacity - in_flight).unwrap_or_default();
            let is_claimable = |task: &Task| here(task) && task.agent == agent && self.may_be_dispatched(task);
            let mut queued = self.tasks_where(is_claimable);
            queued.sort_by_key(|at| self.tasks[*at].order());
            new.extend(queued.into_iter().take(free));
        }
        new.sort_by_key(|at| self.tasks[*at].order());
        new.truncate(self.room_below_limits(runtime));
        redelivered.into_iter().chain(new).take(most).collect()
    }

    fn may_be_dispatched(&self, task: &Task) -> bool {
        let comes_first = |other: &Task| {
            other.in_flight()
                || (other.status == Status::Queued && other.runtime == task.runtime && other.order() < task.order())
        };
        task.status == Status::Queued
            && !self.any(|other| task.same_pair(other) && other.in_flight())
            && !self.any(|other| task.same_chat(other) && comes_first(other))
    }

    /// Queues the deferred tasks of some runtimes that are due, at most one of an issue and agent, and cancels the
    /// deferred retries that newer work of their issue and agent has replaced.
    pub fn promote(&mut self, is_of: impl Fn(usize) -> bool) {
        let is_here = |task: &Task| is_of(task.runtime) && self.is_alive(task.runtime);
        let deferred = self.tasks_where(|task| task.status == Status::Deferred && is_here(task));
        let (superseded, mut others): (Vec<usize>, Vec<usize>) =
            deferred.into_iter().partition(|at| self.is_superseded(&self.tasks[*at]));
        self.cancel(&superseded);
        others.retain(|at| self.tasks[*at].due.is_some_and(|due| due <= self.now));
        others.sort_by_key(|at| self.tasks[*at].order());
        for at in others {
            if self.slot(&self.tasks[at]).is_none() {
                self.tasks[at].status = Status::Queued;
                self.event("task:queued");
            }
        }
    }

    fn is_superseded(&self, task: &Task) -> bool {
        let is_newer = |other: &Task| task.same_pair(other) && (other.status == Status::Queued || other.in_flight());
        task.parent.is_some() && self.any(is_newer) && !self.is_mistaken(Mistake::Superseded)
    }

    /// Starts a claimed task.
    pub fn start(&mut self, at: usize, token: Token) -> Answer {
        let task = &self.tasks[at];
        if task.status == Status::Running && token == Token::Current {
            return rows(&[&false]);
        }
        if !task.is_claimed() {
            return refused(word_for(task));
        }
        if token == Token::Stale {
            return refused("stale_claim");
        }
        self.tasks[at] = Task { status: Status::Running, started: Some(self.now), lease: None, ..task.clone() };
        self.event("task:running");
        self.reconcile_of(&[at]);
        rows(&[&true])
    }

    /// Lets a claimed task wait for its directory.
    pub fn wait(&mut self, at: usize, token: Token) -> Answer {
        let task = &self.tasks[at];
        if task.status == Status::Waiting && token == Token::Current {
            return rows(&[&false]);
        }
        if task.status != Status::Dispatched {
            return refused(word_for(task));
        }
        if token == Token::Stale {
            return refused("stale_claim");
        }
        self.tasks[at] = Task { status: Status::Waiting, lease: Some(self.ago(-LEASE)), ..task.clone() };
        self.event("task:waiting_local_directory");
        self.reconcile_of(&[at]);
        rows(&[&true])
    }

    /// Extends the lease of a claimed task.
    pub fn extend_lease(&mut self, at: usize, token: Token) -> Answer {
        if !self.tasks[at].is_claimed() {
            return refused(word_for(&self.tasks[at]));
        }
        if token == Token::Stale {
            return refused("stale_claim");
        }
        self.tasks[at].lease = Some(self.ago(-LEASE));
        rows(&[&true])
    }

    /// Gives a claimed task back.
    pub fn requeue(&mut self, at: usize, token: Token) -> Answer {
        let task = &self.tasks[at];
        match task.status {
            Status::Queued => return rows(&[&false]),
            Status::Dispatched => {}
            _ => return refused(word_for(task)),
        }
        if token == Token::Stale {
            return refused("stale_claim");
        }
        self.tasks[at] = Task { status: Status::Queued, dispatched: None, process: None, lease: None, ..task.clone() };
        self.event("task:queued");
        self.reconcile_of(&[at]);
        rows(&[&true])
    }
}
