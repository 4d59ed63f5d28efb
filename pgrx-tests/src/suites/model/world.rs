//! The expected state, in memory: the state machine of tasks, without locks, indexes or SQL.

use std::collections::BTreeMap;

use super::task::{Status, Task};

/// Microseconds per second of the model's clock; each step takes a thousand of them.
const SECOND: i64 = 1_000_000;
/// Priorities of the fixture's issues.
const PRIORITIES: [i32; 4] = [0, 1, 3, 4];

/// A runtime.
pub struct Runtime {
    /// Whether it is online.
    pub online: bool,
    /// When its last heartbeat was.
    pub seen: i64,
}

/// An agent.
#[derive(Clone)]
pub struct Agent {
    /// The runtime it is bound to.
    pub runtime: usize,
    /// max_concurrent_tasks.
    pub capacity: i32,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether its status is `working`.
    pub working: bool,
}

/// The rows of the fixture, and the tasks.
pub struct Model {
    /// The two runtimes.
    pub runtimes: [Runtime; 2],
    /// The two agents.
    pub agents: [Agent; 2],
    /// The statuses of the four issues.
    pub issues: [&'static str; 4],
    /// Every task so far.
    pub tasks: Vec<Task>,
    /// Events recorded, by type.
    pub events: BTreeMap<&'static str, usize>,
    /// A wrong rule, with which the test itself is tested: a claim returns tasks of archived agents too.
    pub mistaken: bool,
    /// Microseconds since the model began.
    pub now: i64,
}

/// The assignee of an issue.
pub fn assignee(issue: usize) -> usize {
    usize::from(issue == 2)
}

impl Model {
    /// The rows as the fixture creates them.
    pub fn new(mistaken: bool) -> Model {
        let runtime = || Runtime { online: true, seen: 0 };
        let agent = |runtime: usize, capacity: i32| Agent { runtime, capacity, archived: false, working: false };
        Model {
            runtimes: [runtime(), runtime()],
            agents: [agent(0, 1), agent(1, 2)],
            issues: ["in_progress"; 4],
            tasks: Vec::new(),
            events: BTreeMap::new(),
            mistaken,
            now: 0,
        }
    }

    /// Advances the clock to the next step.
    pub fn tick(&mut self) {
        self.now += 1000;
    }

    /// The time this many seconds ago.
    pub fn ago(&self, secs: i64) -> i64 {
        self.now - secs * SECOND
    }

    /// Counts an event.
    pub fn event(&mut self, kind: &'static str) {
        *self.events.entry(kind).or_default() += 1;
    }

    /// Whether a condition is true for any task.
    pub fn any(&self, condition: impl Fn(&Task) -> bool) -> bool {
        self.tasks.iter().any(condition)
    }

    /// Returns a new task, or the pending one of its issue and agent; None if the agent is archived.
    pub fn enqueue(&mut self, task: Task) -> Option<(usize, bool)> {
        if self.agents[task.agent].archived {
            return None;
        }
        if let Some(pending) = self.slot(&task) {
            self.move_to_agent(pending);
            return Some((pending, false));
        }
        self.insert(task);
        Some((self.tasks.len() - 1, true))
    }

    /// The task that holds the pending slot of a task's issue and agent.
    pub fn slot(&self, task: &Task) -> Option<usize> {
        let taken = |other: &Task| task.same_pair(other) && matches!(other.status, Status::Queued | Status::Dispatched);
        self.tasks.iter().position(taken)
    }

    /// Adds a queued task.
    pub fn insert(&mut self, task: Task) {
        self.tasks.push(task);
        self.event("task:queued");
    }

    /// A new task of an agent, without a source.
    pub fn task(&self, agent: usize, max_attempts: i32) -> Task {
        Task::new(agent, self.agents[agent].runtime, max_attempts, self.now)
    }

    /// A new task of an issue.
    pub fn for_issue(&self, issue: usize, agent: usize, max_attempts: i32) -> Task {
        Task { issue: Some(issue), priority: PRIORITIES[issue], ..self.task(agent, max_attempts) }
    }

    /// Dispatches tasks of a runtime, whose claim counts as a heartbeat.
    pub fn claim(&mut self, runtime: usize, most: usize) -> Vec<usize> {
        let chosen = self.choose(runtime, most);
        if !self.runtimes[runtime].online || self.runtimes[runtime].seen < self.ago(15) {
            self.heartbeat(runtime);
        }
        for &at in &chosen {
            if self.tasks[at].status == Status::Queued {
                self.event("task:dispatch");
            }
            self.tasks[at].status = Status::Dispatched;
            self.tasks[at].dispatched = Some(self.now);
        }
        self.reconcile_of(&chosen);
        chosen
    }

    fn choose(&self, runtime: usize, most: usize) -> Vec<usize> {
        let here = |task: &Task| task.runtime == runtime && (self.mistaken || !self.agents[task.agent].archived);
        let indexes = || 0..self.tasks.len();
        let is_unstarted = |at: &usize| {
            let task = &self.tasks[*at];
            here(task) && task.status == Status::Dispatched && task.dispatched.is_some_and(|at| at < self.ago(90))
        };
        let mut redelivered: Vec<usize> = indexes().filter(is_unstarted).collect();
        redelivered.sort_by_key(|at| self.tasks[*at].dispatched);
        let mut new: Vec<usize> = Vec::new();
        for (agent, row) in self.agents.iter().enumerate() {
            let in_flight = self.tasks.iter().filter(|task| task.agent == agent && task.in_flight());
            let free = usize::try_from(row.capacity - in_flight.count() as i32).unwrap_or_default();
            let is_claimable = |at: &usize| {
                let task = &self.tasks[*at];
                here(task) && task.agent == agent && self.may_be_dispatched(*at)
            };
            let mut queued: Vec<usize> = indexes().filter(is_claimable).collect();
            queued.sort_by_key(|at| self.tasks[*at].order());
            new.extend(queued.into_iter().take(free));
        }
        new.sort_by_key(|at| self.tasks[*at].order());
        redelivered.into_iter().chain(new).take(most).collect()
    }

    fn may_be_dispatched(&self, at: usize) -> bool {
        let task = &self.tasks[at];
        let comes_first = |other: &Task| {
            other.in_flight()
                || (other.status == Status::Queued && other.runtime == task.runtime && other.order() < task.order())
        };
        task.status == Status::Queued
            && !self.any(|other| task.same_pair(other) && other.in_flight())
            && !self.any(|other| task.same_chat(other) && comes_first(other))
    }

    /// Records a heartbeat.
    pub fn heartbeat(&mut self, runtime: usize) {
        self.runtimes[runtime] = Runtime { online: true, seen: self.now };
    }

    /// The tasks for which a condition is true.
    pub fn tasks_where(&self, condition: impl Fn(&Task) -> bool) -> Vec<usize> {
        let indexes = 0..self.tasks.len();
        indexes.filter(|at| condition(&self.tasks[*at])).collect()
    }
}
