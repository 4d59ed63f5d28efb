//! A task of the model.

use std::cmp::Reverse;

use uuid::Uuid;

/// The eight statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not claimed yet.
    Queued,
    /// Claimed.
    Dispatched,
    /// Claimed, and waiting for its directory.
    Waiting,
    /// Started.
    Running,
    /// To be queued later.
    Deferred,
    /// Completed.
    Completed,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
}

impl Status {
    /// The text in the table.
    pub fn text(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Dispatched => "dispatched",
            Status::Waiting => "waiting_local_directory",
            Status::Running => "running",
            Status::Deferred => "deferred",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
}

/// The lists of its daemon that did not name a task.
#[derive(Clone, Copy)]
pub struct Unnamed {
    /// When the first one came.
    pub first: i64,
    /// When the last one came, if there were two or more.
    pub last: Option<i64>,
}

/// One task; other tasks are referred to by their index in the list of all.
#[derive(Clone)]
pub struct Task {
    /// Its id in the database, once it is known.
    pub id: Option<Uuid>,
    /// Its agent.
    pub agent: usize,
    /// Its runtime.
    pub runtime: usize,
    /// Its issue.
    pub issue: Option<usize>,
    /// Its chat.
    pub chat: Option<usize>,
    /// Its status.
    pub status: Status,
    /// Its priority.
    pub priority: i32,
    /// Its attempt.
    pub attempt: i32,
    /// How many attempts it may have.
    pub max_attempts: i32,
    /// The task whose retry it is.
    pub parent: Option<usize>,
    /// Why it failed.
    pub reason: Option<&'static str>,
    /// Whether a sweep failed it because of silence.
    pub silenced: bool,
    /// When it was queued or deferred.
    pub created: i64,
    /// When it is to be queued, or was to be.
    pub due: Option<i64>,
    /// When it was claimed.
    pub dispatched: Option<i64>,
    /// The incarnation of the process that has claimed it, if it passed one.
    pub process: Option<usize>,
    /// Whether it is a retry that the process of its parent has taken over.
    pub taken: bool,
    /// Until when its daemon prepares it.
    pub lease: Option<i64>,
    /// When it was started.
    pub started: Option<i64>,
    /// When it last gave a sign of life.
    pub signed: Option<i64>,
    /// Whether its daemon names it.
    pub unnamed: Option<Unnamed>,
    /// When it ended.
    pub completed: Option<i64>,
    /// Whether the event log has its failure.
    pub announced: bool,
}

impl Task {
    /// A first attempt of an agent, without a source.
    pub fn new(agent: usize, runtime: usize, max_attempts: i32, created: i64) -> Task {
        Task {
            id: None,
            agent,
            runtime,
            issue: None,
            chat: None,
            status: Status::Queued,
            priority: 0,
            attempt: 1,
            max_attempts,
            parent: None,
            reason: None,
            silenced: false,
            created,
            due: None,
            dispatched: None,
            process: None,
            taken: false,
            lease: None,
            started: None,
            signed: None,
            unnamed: None,
            completed: None,
            announced: false,
        }
    }

    /// The task, deferred until a time; a task without a time is queued.
    pub fn deferred(self, due: Option<i64>) -> Task {
        Task { status: if due.is_some() { Status::Deferred } else { Status::Queued }, due, ..self }
    }

    /// The next attempt; that of a chat task keeps its place in the chat.
    pub fn next_attempt(&self, at: usize, created: i64) -> Task {
        Task {
            issue: self.issue,
            chat: self.chat,
            priority: self.priority,
            attempt: self.attempt + 1,
            parent: Some(at),
            created: if self.chat.is_some() { self.created } else { created },
            ..Task::new(self.agent, self.runtime, self.max_attempts, created)
        }
    }

    /// A daemon has the task.
    pub fn in_flight(&self) -> bool {
        self.is_claimed() || self.status == Status::Running
    }

    /// A daemon has the task and has not started it.
    pub fn is_claimed(&self) -> bool {
        matches!(self.status, Status::Dispatched | Status::Waiting)
    }

    /// No daemon has the task yet.
    pub fn is_waiting(&self) -> bool {
        matches!(self.status, Status::Queued | Status::Deferred)
    }

    /// Not ended.
    pub fn is_active(&self) -> bool {
        self.is_waiting() || self.in_flight()
    }

    /// Its agent works on it.
    pub fn occupies_agent(&self) -> bool {
        matches!(self.status, Status::Dispatched | Status::Running)
    }

    /// The daemon must name the task in its list.
    pub fn is_to_be_named(&self) -> bool {
        matches!(self.status, Status::Waiting | Status::Running)
    }

    /// Whether both tasks are of one issue and agent.
    pub fn same_pair(&self, other: &Task) -> bool {
        self.issue.is_some() && self.issue == other.issue && self.agent == other.agent
    }

    /// Whether both tasks are of one chat.
    pub fn same_chat(&self, other: &Task) -> bool {
        self.chat.is_some() && self.chat == other.chat
    }

    /// The order of claims: the highest priority first, then the oldest.
    pub fn order(&self) -> (Reverse<i32>, i64) {
        (Reverse(self.priority), self.created)
    }

    /// Lets time pass for the task. The last list that did not name it stays where it is, because a list counts only if
    /// it came after the start of the server.
    pub fn age(&mut self, by: i64) {
        let times = [&mut self.due, &mut self.dispatched, &mut self.lease, &mut self.started, &mut self.signed];
        for time in times.into_iter().flatten() {
            *time -= by;
        }
        if let Some(unnamed) = &mut self.unnamed {
            unnamed.first -= by;
        }
    }

    /// The task as the state query of the database returns it.
    pub fn line(&self) -> String {
        let one = |prefix: &str, at: Option<usize>| match at {
            Some(at) => format!("{prefix}{}", at + 1),
            None => "-".to_string(),
        };
        let mut line = format!(
            "{} {}/{} {} b{} c{} {} {} {}",
            self.status.text(),
            self.attempt,
            self.max_attempts,
            self.priority,
            self.runtime + 1,
            self.agent + 1,
            one("d", self.issue),
            one("5", self.chat),
            self.reason.unwrap_or("-")
        );
        let facts = [
            (self.due.is_some(), " dated"),
            (self.lease.is_some(), " leased"),
            (self.status == Status::Waiting, " waits"),
            (self.completed.is_some(), " ended"),
        ];
        line.extend(facts.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word));
        line
    }
}
