//! The expected state, in memory: the state machine of tasks, without locks, indexes or SQL.

use std::collections::BTreeMap;

use super::step::Scope;
use super::task::{Status, Task};

/// Microseconds per second of the model's clock; each step takes a thousand of them.
pub const SECOND: i64 = 1_000_000;
/// Priorities of the fixture's issues.
const PRIORITIES: [i32; 4] = [0, 1, 3, 4];

/// `multica.stale_after` in seconds.
const STALE_AFTER: i64 = 45;
/// Seconds without a heartbeat after which a claim or a resume counts as one.
const SIGN_OF_LIFE_AFTER: i64 = 15;
/// `multica.prepare_lease` in seconds.
pub const LEASE: i64 = 45;

/// A runtime.
#[derive(Default)]
pub struct Runtime {
    /// Whether it is online.
    pub online: bool,
    /// When its last heartbeat was.
    pub seen: i64,
    /// The incarnation of the process that registered it last.
    pub process: Option<usize>,
    /// The incarnations that were replaced.
    pub replaced: Vec<usize>,
}

/// An agent.
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

/// A wrong rule, with which the test itself is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A claim returns tasks of archived agents.
    ArchivedAgent,
    /// A claim returns a claimed task again although its lease lasts.
    Lease,
    /// A deferred retry stays although newer work has come.
    Superseded,
    /// A run goes on although its agent has no room.
    FullAgent,
}

/// The rows of the fixture, and the tasks.
pub struct Model {
    /// The two runtimes.
    pub runtimes: [Runtime; 2],
    /// The two agents.
    pub agents: [Agent; 2],
    /// The statuses of the four issues.
    pub issues: [&'static str; 4],
    /// How many tasks may be in flight at a time.
    pub limits: BTreeMap<Scope, i32>,
    /// Every task so far.
    pub tasks: Vec<Task>,
    /// Events recorded, by type.
    pub events: BTreeMap<&'static str, usize>,
    /// The wrong rule, if there is one.
    pub mistake: Option<Mistake>,
    /// Microseconds since the model began.
    pub now: i64,
}

/// The assignee of an issue.
pub fn assignee(issue: usize) -> usize {
    usize::from(issue == 2)
}

impl Model {
    /// The rows as the fixture creates them.
    pub fn new(mistake: Option<Mistake>) -> Model {
        let runtime = || Runtime { online: true, ..Runtime::default() };
        let agent = |runtime: usize, capacity: i32| Agent { runtime, capacity, archived: false, working: false };
        Model {
            runtimes: [runtime(), runtime()],
            agents: [agent(0, 1), agent(1, 2)],
            issues: ["in_progress"; 4],
            limits: BTreeMap::new(),
            tasks: Vec::new(),
            events: BTreeMap::new(),
            mistake,
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

    /// Whether the model has this wrong rule.
    pub fn is_mistaken(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// Whether a condition is true for any task.
    pub fn any(&self, condition: impl Fn(&Task) -> bool) -> bool {
        self.tasks.iter().any(condition)
    }

    /// The tasks for which a condition is true.
    pub fn tasks_where(&self, condition: impl Fn(&Task) -> bool) -> Vec<usize> {
        let indexes = 0..self.tasks.len();
        indexes.filter(|at| condition(&self.tasks[*at])).collect()
    }

    /// How many tasks in flight fulfil a condition.
    pub fn count_in_flight(&self, condition: impl Fn(&Task) -> bool) -> i32 {
        self.tasks_where(|task| task.in_flight() && condition(task)).len() as i32
    }

    /// Whether an agent can have one more task in flight.
    pub fn has_room(&self, agent: usize) -> bool {
        self.count_in_flight(|task| task.agent == agent) < self.agents[agent].capacity
    }

    /// How many more tasks of a runtime the limits allow in flight. Both runtimes are of one provider and workspace.
    pub fn room_below_limits(&self, runtime: usize) -> usize {
        let room = |(scope, most): (&Scope, &i32)| match *scope {
            Scope::Runtime(other) if other != runtime => None,
            Scope::Runtime(_) => Some(most - self.count_in_flight(|task| task.runtime == runtime)),
            Scope::Provider | Scope::Workspace => Some(most - self.count_in_flight(|_| true)),
        };
        let rooms = self.limits.iter().filter_map(room);
        rooms.map(|room| usize::try_from(room).unwrap_or_default()).min().unwrap_or(usize::MAX)
    }

    /// Returns a new task, or the one that takes its place; None if the agent is archived. The pending task takes the
    /// place of a queued one, and one that was deferred until the same time that of a deferred one.
    pub fn enqueue(&mut self, task: Task) -> Option<(usize, bool)> {
        if self.agents[task.agent].archived {
            return None;
        }
        let is_same = |other: &Task| {
            let is_retry = other.parent.is_some();
            task.same_pair(other) && other.status == Status::Deferred && other.due == task.due && !is_retry
        };
        let other = match task.status {
            Status::Deferred => self.tasks.iter().position(is_same),
            _ => self.slot(&task),
        };
        if let Some(other) = other {
            self.move_to_agent(other);
            return Some((other, false));
        }
        self.insert(task);
        Some((self.tasks.len() - 1, true))
    }

    /// The task that holds the pending slot of a task's issue and agent.
    pub fn slot(&self, task: &Task) -> Option<usize> {
        let taken = |other: &Task| task.same_pair(other) && matches!(other.status, Status::Queued | Status::Dispatched);
        self.tasks.iter().position(taken)
    }

    /// Adds a task that is queued or deferred.
    pub fn insert(&mut self, task: Task) {
        if task.status == Status::Queued {
            self.event("task:queued");
        }
        self.tasks.push(task);
    }

    /// A new task of an agent, without a source.
    pub fn task(&self, agent: usize, max_attempts: i32) -> Task {
        Task::new(agent, self.agents[agent].runtime, max_attempts, self.now)
    }

    /// A new task of an issue.
    pub fn for_issue(&self, issue: usize, agent: usize, max_attempts: i32) -> Task {
        Task { issue: Some(issue), priority: PRIORITIES[issue], ..self.task(agent, max_attempts) }
    }

    /// Moves a task that no daemon has to the current runtime of its agent.
    pub fn move_to_agent(&mut self, at: usize) {
        let current = self.agents[self.tasks[at].agent].runtime;
        let task = &mut self.tasks[at];
        if task.is_waiting() && task.runtime != current {
            task.runtime = current;
            if task.status == Status::Queued {
                self.event("task:queued");
            }
        }
    }

    /// Records a heartbeat.
    pub fn heartbeat(&mut self, runtime: usize) {
        self.runtimes[runtime].online = true;
        self.runtimes[runtime].seen = self.now;
    }

    /// Whether a runtime is online, and not silent for too long.
    pub fn is_alive(&self, runtime: usize) -> bool {
        self.runtimes[runtime].online && self.runtimes[runtime].seen >= self.ago(STALE_AFTER)
    }

    /// Records a call of the daemon as a heartbeat, if the last one was long ago.
    pub fn give_sign_of_life(&mut self, runtime: usize) {
        if !self.runtimes[runtime].online || self.runtimes[runtime].seen < self.ago(SIGN_OF_LIFE_AFTER) {
            self.heartbeat(runtime);
        }
    }

    /// Whether a process with this incarnation may call for a runtime: another one has not registered it. A call without
    /// an incarnation is not checked.
    pub fn admits(&self, runtime: usize, process: Option<usize>) -> bool {
        let registered = self.runtimes[runtime].process;
        process.is_none() || registered.is_none() || process == registered
    }
}
