//! Runs that outlive a verdict on silence: the process takes over the retry, as long as no process has begun it.

use super::play::{Answer, number, refused, rows, word_for};
use super::step::Token;
use super::task::{Status, Task};
use super::world::{Mistake, Model};

impl Model {
    /// The retry of a task that silence has failed.
    fn retry_of_silenced(&self, at: usize) -> Option<usize> {
        let retry = || self.tasks.iter().position(|task| task.parent == Some(at));
        self.tasks[at].silenced.then(retry).flatten()
    }

    /// Whether nobody has begun the retry of a failed task, and it is still the newest work, where the run is.
    fn is_free(&self, failed: usize, retry: usize) -> bool {
        let (failed, retry) = (&self.tasks[failed], &self.tasks[retry]);
        let agent = &self.agents[failed.agent];
        let is_newer = |other: &Task| {
            let is_queued = retry.status == Status::Deferred && other.status == Status::Queued;
            (retry.same_pair(other) && (other.in_flight() || is_queued))
                || (retry.same_chat(other) && other.in_flight())
        };
        retry.is_waiting()
            && !agent.archived
            && agent.runtime == failed.runtime
            && retry.runtime == failed.runtime
            && !self.any(is_newer)
    }

    /// Whether another process has registered the runtime since a task was claimed.
    fn has_lost_its_process(&self, at: usize) -> bool {
        !self.admits(self.tasks[at].runtime, self.tasks[at].process)
    }

    fn can_have_one_more(&self, agent: usize) -> bool {
        self.has_room(agent) || self.is_mistaken(Mistake::FullAgent)
    }

    /// Whether the process of a failed task on this runtime can go on with it.
    pub fn can_resume(&self, at: usize, runtime: usize) -> bool {
        let task = &self.tasks[at];
        let Some(retry) = self.retry_of_silenced(at).filter(|_| task.runtime == runtime) else { return false };
        let is_open = || {
            let has_room = self.can_have_one_more(task.agent) && self.room_below_limits(runtime) > 0;
            self.is_free(at, retry) && has_room && !self.has_lost_its_process(at)
        };
        if self.tasks[retry].taken { self.tasks[retry].in_flight() } else { is_open() }
    }

    /// Starts the retry for the process of the failed task.
    fn take_over(&mut self, failed: usize, retry: usize) {
        let (now, process) = (Some(self.now), self.tasks[failed].process);
        self.tasks[retry] = Task {
            status: Status::Running,
            dispatched: now,
            started: now,
            process,
            taken: true,
            ..self.tasks[retry].clone()
        };
        self.event("task:resumed");
    }

    /// Goes on with a run: returns the task in flight with which its process works on.
    pub fn resume(&mut self, mut at: usize, token: Token) -> Answer {
        if token == Token::None {
            return refused("22004");
        }
        while !self.tasks[at].is_active() {
            let known = self.retry_of_silenced(at).filter(|_| token == Token::Current);
            let Some(retry) = known else { return refused("final") };
            if !self.tasks[retry].taken {
                let (runtime, agent) = (self.tasks[at].runtime, self.tasks[at].agent);
                if !self.is_free(at, retry) || !self.can_have_one_more(agent) {
                    return refused("final");
                }
                if self.has_lost_its_process(at) {
                    return refused("superseded");
                }
                if self.room_below_limits(runtime) == 0 {
                    return refused("final");
                }
                self.give_sign_of_life(runtime);
                self.take_over(at, retry);
                self.reconcile_of(&[retry]);
            }
            at = retry;
        }
        let task = &self.tasks[at];
        match token {
            Token::Stale => refused("stale_claim"),
            _ if task.in_flight() => rows(&[&number(at), &task.status.text()]),
            _ => refused(word_for(task)),
        }
    }

    /// Returns the task that the end of a run is about: the reported one, or its retry, if the run has taken it over or
    /// does so now. A run that ends needs no room.
    pub fn end_of(&mut self, mut at: usize, token: Token) -> usize {
        while !self.tasks[at].is_active() && token == Token::Current {
            let Some(retry) = self.retry_of_silenced(at) else { break };
            if !self.tasks[retry].taken {
                if !self.is_free(at, retry) || self.has_lost_its_process(at) {
                    break;
                }
                self.take_over(at, retry);
            }
            at = retry;
        }
        at
    }
}
