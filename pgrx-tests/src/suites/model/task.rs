//! A task of the model.

use std::cmp::Reverse;

use uuid::Uuid;

/// The six statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waits.
    Queued,
    /// Handed out.
    Dispatched,
    /// Being worked on.
    Running,
    /// Done.
    Completed,
    /// Failed.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
}

impl Status {
    /// The word in the table.
    pub fn word(self) -> &'static str {
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

/// One task; others are referred to by their place in the list of all.
#[derive(Clone)]
pub struct Task {
    /// The id that the database gave it, once it is known.
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
    /// Which attempt it is.
    pub attempt: i32,
    /// How many there may be.
    pub max_attempts: i32,
    /// The task it repeats.
    pub parent: Option<usize>,
    /// Why it failed.
    pub reason: Option<&'static str>,
    /// Since when it waits.
    pub created: i64,
    /// When it was handed out.
    pub dispatched: Option<i64>,
    /// When it was begun.
    pub started: Option<i64>,
    /// When it was over.
    pub completed: Option<i64>,
    /// Whether the log says that it failed.
    pub announced: bool,
}

impl Task {
    /// A first attempt of an agent alone.
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

    /// The next attempt; a chat's turn keeps its place.
    pub fn again(&self, at: usize, created: i64) -> Task {
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

    /// Handed out and not over.
    pub fn in_flight(&self) -> bool {
        matches!(self.status, Status::Dispatched | Status::Running)
    }

    /// Not over.
    pub fn is_active(&self) -> bool {
        self.status == Status::Queued || self.in_flight()
    }

    /// Whether both are of one issue and agent.
    pub fn same_pair(&self, other: &Task) -> bool {
        self.issue.is_some() && self.issue == other.issue && self.agent == other.agent
    }

    /// Whether both are turns of one chat.
    pub fn same_chat(&self, other: &Task) -> bool {
        self.chat.is_some() && self.chat == other.chat
    }

    /// Who comes first: the most urgent, then the one that waits longest.
    pub fn turn(&self) -> (Reverse<i32>, i64) {
        (Reverse(self.priority), self.created)
    }

    /// How the table shows it.
    pub fn line(&self) -> String {
        let one = |prefix: &str, at: Option<usize>| match at {
            Some(at) => format!("{prefix}{}", at + 1),
            None => "-".to_string(),
        };
        format!(
            "{} {}/{} {} b{} c{} {} {} {}",
            self.status.word(),
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
