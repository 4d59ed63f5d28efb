//! A task of the model.

use std::cmp::Reverse;

use uuid::Uuid;

/// The six statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not claimed yet.
    Queued,
    /// Claimed.
    Dispatched,
    /// Started.
    Running,
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
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
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
    /// When it was queued.
    pub created: i64,
    /// When it was claimed.
    pub dispatched: Option<i64>,
    /// When it was started.
    pub started: Option<i64>,
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
            created,
            dispatched: None,
            started: None,
            completed: None,
            announced: false,
        }
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

    /// Dispatched or running.
    pub fn in_flight(&self) -> bool {
        matches!(self.status, Status::Dispatched | Status::Running)
    }

    /// Not ended.
    pub fn is_active(&self) -> bool {
        self.status == Status::Queued || self.in_flight()
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

    /// The task as the state query of the database returns it.
    pub fn line(&self) -> String {
        let one = |prefix: &str, at: Option<usize>| match at {
            Some(at) => format!("{prefix}{}", at + 1),
            None => "-".to_string(),
        };
        format!(
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
        )
    }
}
