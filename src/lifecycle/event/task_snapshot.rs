//! A task as its events describe it.

use pgrx::Uuid;
use serde::Serialize;
use uuid::Uuid as Id;

use crate::postgres::statement::{Arg, Row, Statement, arg};

static WORKSPACES: Statement = Statement::volatile(sql!("lifecycle/event/workspaces.sql")).by_id();

/// How many characters of an error an event contains at most; the row has the whole error.
const ERROR_LENGTH: usize = 1000;
/// The failure_reason in the event of a task that has none.
const AGENT_ERROR: &str = "agent_error";

/// A task as the last statement that wrote it returned it, so that its events are made without another lookup.
#[derive(Serialize)]
pub struct TaskSnapshot {
    task_id: Id,
    agent_id: Option<Id>,
    issue_id: Option<Id>,
    runtime_id: Option<Id>,
    chat_session_id: Option<Id>,
    parent_task_id: Option<Id>,
    status: Option<String>,
    attempt: Option<i32>,
    max_attempts: Option<i32>,
    #[serde(skip)]
    autopilot_run_id: Option<Id>,
    #[serde(skip)]
    failure_reason: Option<String>,
    #[serde(skip)]
    error: Option<String>,
    #[serde(skip)]
    has_context: bool,
    #[serde(skip)]
    workspace: Option<Uuid>,
}

/// What the events of a task contain besides the task.
#[derive(Serialize)]
#[serde(untagged)]
pub enum EventDetail<'a> {
    /// Why the task failed, and its retry.
    Failure {
        /// Word for the failure.
        failure_reason: &'a str,
        /// The beginning of its error.
        error: Option<&'a str>,
        /// The retry.
        retry_task_id: Option<Id>,
        /// Whether there is a retry.
        retry_pending: bool,
    },
    /// Why the task waits for its directory.
    Wait {
        /// Text for people.
        wait_reason: Option<&'a str>,
    },
    /// The failed task whose run the task continues.
    Resumed {
        /// The failed task.
        resumed_task_id: Id,
    },
    /// The result of a chat's turn.
    Content {
        /// Text of the answer.
        content: &'a str,
    },
}

impl EventDetail<'_> {
    /// Returns what the event of a retry contains that continues the run of a failed task.
    pub(super) fn resumed(failed: Uuid) -> Self {
        Self::Resumed { resumed_task_id: as_id(failed) }
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(flatten)]
    task: &'a TaskSnapshot,
    #[serde(flatten)]
    more: Option<EventDetail<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep_id: Option<Id>,
}

impl TaskSnapshot {
    /// Returns the tasks of a statement, with their workspaces, which it looks up.
    pub fn read(statement: &Statement, args: &[Arg]) -> Vec<Self> {
        Self::with_workspaces(statement.rows(args, Self::reader()))
    }

    /// Returns the same task with its workspace, which is looked up.
    pub fn with_workspace(self) -> Self {
        Self::with_workspaces(vec![self]).remove(0)
    }

    fn with_workspaces(tasks: Vec<Self>) -> Vec<Self> {
        if tasks.is_empty() {
            return tasks;
        }
        let of = |id: fn(&Self) -> Option<Id>| -> Vec<Option<Uuid>> {
            tasks.iter().map(|task| id(task).map(as_sql)).collect()
        };
        let places = [
            arg(of(|task| task.issue_id)),
            arg(of(|task| task.chat_session_id)),
            arg(of(|task| task.autopilot_run_id)),
            arg(of(|task| task.agent_id)),
        ];
        let workspaces = WORKSPACES.rows(&places, |row| row.get(1));
        tasks.into_iter().zip(workspaces).map(|(task, workspace)| task.within(workspace)).collect()
    }

    /// Reads the rows of a statement that returns tasks; the columns are found once, at its first row.
    pub fn reader() -> impl FnMut(&Row) -> Self {
        let mut columns = None;
        move |row| {
            let at: &[usize; 12] = columns.get_or_insert_with(|| {
                [
                    "id",
                    "agent_id",
                    "issue_id",
                    "runtime_id",
                    "chat_session_id",
                    "parent_task_id",
                    "status",
                    "attempt",
                    "max_attempts",
                    "autopilot_run_id",
                    "failure_reason",
                    "error",
                ]
                .map(|name| row.position(name))
            });
            let id = |place: usize| row.get(at[place]).map(as_id);
            Self {
                task_id: as_id(row.must(at[0])),
                agent_id: id(1),
                issue_id: id(2),
                runtime_id: id(3),
                chat_session_id: id(4),
                parent_task_id: id(5),
                status: row.get(at[6]),
                attempt: row.get(at[7]),
                max_attempts: row.get(at[8]),
                autopilot_run_id: id(9),
                failure_reason: row.get(at[10]),
                error: row.get(at[11]),
                has_context: false,
                workspace: None,
            }
        }
    }

    /// Whether the task is queued.
    pub fn is_queued(&self) -> bool {
        self.status.as_deref() == Some("queued")
    }

    /// Returns the same task with its workspace, which the caller knows.
    pub fn within(self, workspace: Option<Uuid>) -> Self {
        Self { workspace, ..self }
    }

    /// Returns the same task. If `has_context`, its events contain its context, which is looked up when they are
    /// written: as text, it may be larger than an array of texts can be, or too deeply nested to be parsed again.
    pub fn with_context(self, has_context: bool) -> Self {
        Self { has_context, ..self }
    }

    /// Id of the task.
    pub fn id(&self) -> Uuid {
        as_sql(self.task_id)
    }

    /// Id of the task of which this task is the retry.
    pub fn parent(&self) -> Option<Uuid> {
        self.parent_task_id.map(as_sql)
    }

    /// Agent of the task.
    pub fn agent(&self) -> Option<Uuid> {
        self.agent_id.map(as_sql)
    }

    /// Issue that the task is for.
    pub fn issue(&self) -> Option<Uuid> {
        self.issue_id.map(as_sql)
    }

    /// Whether it is a turn of a chat session.
    pub fn is_turn(&self) -> bool {
        self.chat_session_id.is_some()
    }

    /// Whether it is to be queued later.
    pub fn is_deferred(&self) -> bool {
        self.status.as_deref() == Some("deferred")
    }

    /// Whether it has failed.
    pub fn has_failed(&self) -> bool {
        self.status.as_deref() == Some("failed")
    }

    /// The autopilot run that it executes.
    pub fn run(&self) -> Option<Uuid> {
        self.autopilot_run_id.map(as_sql)
    }

    /// Whether an autopilot run follows it.
    pub fn is_of_run(&self) -> bool {
        self.autopilot_run_id.is_some()
    }

    /// Workspace of the task.
    pub fn workspace(&self) -> Option<Uuid> {
        self.workspace
    }

    /// Whether its events contain its context.
    pub(super) fn has_context(&self) -> bool {
        self.has_context
    }

    /// Returns why the task failed, and the retry that was queued for it.
    pub(super) fn failure(&self, retry: Option<Uuid>) -> EventDetail<'_> {
        EventDetail::Failure {
            failure_reason: self.failure_reason.as_deref().unwrap_or(AGENT_ERROR),
            error: self.error.as_deref().map(beginning),
            retry_task_id: retry.map(as_id),
            retry_pending: retry.is_some(),
        }
    }

    /// Returns the JSON object of an event about this task.
    pub(super) fn payload(&self, more: Option<EventDetail>, sweep: Option<Uuid>) -> String {
        let payload = Payload { task: self, more, sweep_id: sweep.map(as_id) };
        serde_json::to_string(&payload).expect("text, numbers and ids are JSON")
    }

    /// Returns the JSON object of an event about this task with one more key, whose value is JSON text. The text is not
    /// parsed, because a parsed value cannot represent every number of jsonb.
    pub(super) fn payload_with(&self, key: &str, json: &str) -> String {
        let payload = self.payload(None, None);
        let members = payload.strip_suffix('}').expect("an object ends with a brace");
        format!("{members},\"{key}\":{json}}}")
    }
}

fn beginning(error: &str) -> &str {
    let end = error.char_indices().nth(ERROR_LENGTH);
    end.map_or(error, |(end, _)| &error[..end])
}

fn as_id(id: Uuid) -> Id {
    Id::from_bytes(*id.as_bytes())
}

fn as_sql(id: Id) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}
