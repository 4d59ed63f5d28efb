//! What ought to happen, in memory: the state machine of tasks, without locks, indexes or SQL.

use std::collections::BTreeMap;

use super::task::{Status, Task};

/// Microseconds of the model's clock: a step takes a thousand of them.
const SECOND: i64 = 1_000_000;
/// Priorities of the fixture's issues.
const PRIORITIES: [i32; 4] = [0, 1, 3, 4];

/// A machine.
pub struct Runtime {
    /// Whether it is online.
    pub online: bool,
    /// When it was last seen.
    pub seen: i64,
}

/// An agent.
#[derive(Clone)]
pub struct Agent {
    /// The runtime it is bound to.
    pub runtime: usize,
    /// max_concurrent_tasks.
    pub room: i32,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether its status says that it works.
    pub working: bool,
}

/// The world of the fixture, and the tasks in it.
pub struct Model {
    /// The two runtimes.
    pub runtimes: [Runtime; 2],
    /// The two agents.
    pub agents: [Agent; 2],
    /// The statuses of the four issues.
    pub issues: [&'static str; 4],
    /// Every task that there has been.
    pub tasks: Vec<Task>,
    /// Events recorded, by type.
    pub events: BTreeMap<&'static str, usize>,
    /// What the model holds for true and is not: archived agents are handed their tasks. For the test of the test.
    pub mistaken: bool,
    /// Microseconds since the model began.
    pub now: i64,
}

/// The assignee of an issue.
pub fn assignee(issue: usize) -> usize {
    usize::from(issue == 2)
}

impl Model {
    /// The world as the fixture leaves it.
    pub fn new(mistaken: bool) -> Model {
        let runtime = || Runtime { online: true, seen: 0 };
        let agent = |runtime: usize, room: i32| Agent { runtime, room, archived: false, working: false };
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

    /// The next step begins.
    pub fn tick(&mut self) {
        self.now += 1000;
    }

    /// A moment so many seconds ago.
    pub fn ago(&self, secs: i64) -> i64 {
        self.now - secs * SECOND
    }

    /// Counts an event.
    pub fn event(&mut self, kind: &'static str) {
        *self.events.entry(kind).or_default() += 1;
    }

    /// Whether a condition holds for any task.
    pub fn any(&self, condition: impl Fn(&Task) -> bool) -> bool {
        self.tasks.iter().any(condition)
    }

    /// A fresh task, or the pending one of its issue and agent. None: the agent is archived.
    pub fn enqueue(&mut self, task: Task) -> Option<(usize, bool)> {
        if self.agents[task.agent].archived {
            return None;
        }
        if let Some(pending) = self.slot(&task) {
            self.bring_home(pending);
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

    /// A task is there.
    pub fn insert(&mut self, task: Task) {
        self.tasks.push(task);
        self.event("task:queued");
    }

    /// A task of an agent that is still to be given its source.
    pub fn task(&self, agent: usize, max_attempts: i32) -> Task {
        Task::new(agent, self.agents[agent].runtime, max_attempts, self.now)
    }

    /// A task for an issue.
    pub fn for_issue(&self, issue: usize, agent: usize, max_attempts: i32) -> Task {
        Task { issue: Some(issue), priority: PRIORITIES[issue], ..self.task(agent, max_attempts) }
    }

    /// Hands out tasks of a runtime, and takes it as a sign of life.
    pub fn claim(&mut self, runtime: usize, most: usize) -> Vec<usize> {
        let chosen = self.choose(runtime, most);
        if !self.runtimes[runtime].online || self.runtimes[runtime].seen < self.ago(15) {
            self.beat(runtime);
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
        let lost = |at: &usize| {
            let task = &self.tasks[*at];
            here(task) && task.status == Status::Dispatched && task.dispatched.is_some_and(|at| at < self.ago(90))
        };
        let mut again: Vec<usize> = indexes().filter(lost).collect();
        again.sort_by_key(|at| self.tasks[*at].dispatched);
        let mut fresh: Vec<usize> = Vec::new();
        for (agent, row) in self.agents.iter().enumerate() {
            let busy = self.tasks.iter().filter(|task| task.agent == agent && task.in_flight());
            let room = usize::try_from(row.room - busy.count() as i32).unwrap_or_default();
            let waits = |at: &usize| {
                let task = &self.tasks[*at];
                here(task) && task.agent == agent && self.may_be_handed_out(*at)
            };
            let mut waiting: Vec<usize> = indexes().filter(waits).collect();
            waiting.sort_by_key(|at| self.tasks[*at].turn());
            fresh.extend(waiting.into_iter().take(room));
        }
        fresh.sort_by_key(|at| self.tasks[*at].turn());
        again.into_iter().chain(fresh).take(most).collect()
    }

    fn may_be_handed_out(&self, at: usize) -> bool {
        let task = &self.tasks[at];
        let before = |other: &Task| {
            other.in_flight()
                || (other.status == Status::Queued && other.runtime == task.runtime && other.turn() < task.turn())
        };
        task.status == Status::Queued
            && !self.any(|other| task.same_pair(other) && other.in_flight())
            && !self.any(|other| task.same_chat(other) && before(other))
    }

    /// A sign of life.
    pub fn beat(&mut self, runtime: usize) {
        self.runtimes[runtime] = Runtime { online: true, seen: self.now };
    }

    /// The tasks that a condition holds for.
    pub fn those(&self, condition: impl Fn(&Task) -> bool) -> Vec<usize> {
        let indexes = 0..self.tasks.len();
        indexes.filter(|at| condition(&self.tasks[*at])).collect()
    }
}
