//! Records the events of a call, in its transaction and by one statement.

use std::cell::Cell;
use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::log::{self, Asker};
use super::notification;
use super::task_snapshot::{EventDetail, TaskSnapshot};
use crate::postgres::advisory_lock::{self, FIRST_KEY};
use crate::postgres::statement::{Statement, arg};
use crate::settings;

static HOLD: Statement = Statement::volatile(sql!("lifecycle/event/hold.sql"));
static RECORD: Statement = Statement::volatile(sql!("lifecycle/event/record.sql")).by_id();

thread_local! {
    static HELD: Cell<Option<i64>> = const { Cell::new(None) };
}

/// What an event is about: the text of its type.
#[derive(Clone, Copy)]
pub enum EventType {
    /// An agent's status has changed.
    AgentStatus,
    /// An issue has changed.
    IssueUpdated,
    /// An autopilot was paused.
    AutopilotUpdated,
    /// An autopilot run has ended.
    RunDone,
    /// Something happened to runtimes of a workspace.
    Runtimes,
    /// A task waits to be claimed.
    TaskQueued,
    /// A task was claimed.
    TaskDispatched,
    /// The agent of a task runs.
    TaskRunning,
    /// A claimed task waits for its directory.
    TaskWaits,
    /// A running task has reported its progress.
    TaskProgress,
    /// A task was taken over by the process of the failed task whose retry it is.
    TaskResumed,
    /// A task was completed.
    TaskCompleted,
    /// A task was cancelled.
    TaskCancelled,
    /// A task has failed.
    TaskFailed,
    /// A turn of a chat has ended.
    TurnDone,
}

impl EventType {
    const fn text(self) -> &'static str {
        match self {
            Self::AgentStatus => "agent:status",
            Self::IssueUpdated => "issue:updated",
            Self::AutopilotUpdated => "autopilot:updated",
            Self::RunDone => "autopilot:run_done",
            Self::Runtimes => "daemon:register",
            Self::TaskQueued => "task:queued",
            Self::TaskDispatched => "task:dispatch",
            Self::TaskRunning => "task:running",
            Self::TaskWaits => "task:waiting_local_directory",
            Self::TaskProgress => "task:progress",
            Self::TaskResumed => "task:resumed",
            Self::TaskCompleted => "task:completed",
            Self::TaskCancelled => "task:cancelled",
            Self::TaskFailed => "task:failed",
            Self::TurnDone => "chat:done",
        }
    }
}

/// Events that are not recorded yet, in the order in which they are to be read.
pub struct Events {
    sweep: Option<Uuid>,
    all: Vec<Entry>,
}

struct Entry {
    kind: EventType,
    /// The row that is looked up when the event is written.
    subject: Option<Uuid>,
    workspace: Option<Uuid>,
    detail: Option<String>,
}

impl Events {
    /// Makes an empty list. All its events will carry the id of the sweep, if there is one.
    pub fn new(sweep: Option<Uuid>) -> Self {
        Self { sweep, all: Vec::new() }
    }

    /// Makes an empty list for the same sweep.
    pub fn none_yet(&self) -> Self {
        Self::new(self.sweep)
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds an event about a row that is looked up when the event is written: an agent, issue, autopilot run or
    /// workspace. `detail` is an object with what the tables do not contain.
    pub fn push(&mut self, kind: EventType, subject: Uuid, mut detail: Value) {
        if let Some(sweep) = self.sweep {
            detail["sweep_id"] = json!(sweep.to_string());
        }
        let has_keys = detail.as_object().is_some_and(|keys| !keys.is_empty());
        self.all.push(Entry {
            kind,
            subject: Some(subject),
            workspace: None,
            detail: has_keys.then(|| detail.to_string()),
        });
    }

    /// Adds an event about a task as it was just written.
    pub fn describe(&mut self, kind: EventType, task: &TaskSnapshot, detail: Option<EventDetail>) {
        self.all.push(Entry {
            kind,
            subject: task.has_context().then(|| task.id()),
            workspace: task.workspace(),
            detail: Some(task.payload(detail, self.sweep)),
        });
    }

    /// Adds an event about the progress of a task, the text of a JSON object.
    pub fn progress(&mut self, task: &TaskSnapshot, progress: &str) {
        let detail = task.payload_with("progress", progress);
        self.all.push(Entry {
            kind: EventType::TaskProgress,
            subject: None,
            workspace: task.workspace(),
            detail: Some(detail),
        });
    }

    /// Adds an event of a workspace, with all of its payload, an object.
    pub fn push_whole(&mut self, kind: EventType, workspace: Uuid, payload: String) {
        self.all.push(Entry { kind, subject: None, workspace: Some(workspace), detail: Some(payload) });
    }

    /// Adds one event per workspace about an `action` on its runtimes.
    pub fn runtimes(&mut self, action: &str, runtimes: impl IntoIterator<Item = (Uuid, Uuid)>) {
        let mut by_workspace: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
        for (workspace, runtime) in runtimes {
            by_workspace.entry(workspace).or_default().push(runtime.to_string());
        }
        for (workspace, ids) in by_workspace {
            let detail = json!({ "action": action, "runtime_ids": ids });
            self.push(EventType::Runtimes, workspace, detail);
        }
    }

    /// Adds an event about the registration of runtimes of a workspace. `replaced`: as for
    /// [`super::Call::registered`].
    pub fn registered(&mut self, workspace: Uuid, runtimes: &[Uuid], replaced: &[(Uuid, Uuid)]) {
        let ids: Vec<String> = runtimes.iter().map(ToString::to_string).collect();
        let mut detail = json!({ "action": "register", "runtime_ids": ids });
        if !replaced.is_empty() {
            let by_runtime: BTreeMap<String, String> =
                replaced.iter().map(|(runtime, process)| (runtime.to_string(), process.to_string())).collect();
            detail["replaced_incarnations"] = json!(by_runtime);
        }
        self.push(EventType::Runtimes, workspace, detail);
    }

    /// Writes the events; the notification is sent at commit.
    pub fn record(self, now: TimestampWithTimeZone) {
        let events = self.all;
        if events.is_empty() {
            return;
        }
        hold_back_readers();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.text()).collect();
        let subjects: Vec<Option<Uuid>> = events.iter().map(|event| event.subject).collect();
        let workspaces: Vec<Option<Uuid>> = events.iter().map(|event| event.workspace).collect();
        let details: Vec<Option<&str>> = events.iter().map(|event| event.detail.as_deref()).collect();
        RECORD.run(&[arg(now), arg(kinds), arg(subjects), arg(workspaces), arg(details)]);
    }
}

/// Takes the lock that stops readers, once per transaction and before its first event; see hold.sql. A savepoint that
/// is rolled back releases the lock and cancels the notification, so the check is whether the lock is held, not whether
/// it was taken. If the log must restart, this waits for another session that does it.
pub fn hold_back_readers() {
    if HELD.get().is_some_and(advisory_lock::holds_event_lock) {
        return;
    }
    HELD.set(HOLD.row(&[arg(FIRST_KEY)], |row| row.must(1)));
    if let Some(drawn) = HELD.get() {
        log::ensure_next_id(drawn, Asker::Recorder).unwrap_or_else(|error| error.raise());
    }
    if settings::notify() {
        notification::at_commit();
    }
}
