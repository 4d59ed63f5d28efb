//! One call: the moment at which it happens, and the events that it records.
//!
//! A `Call` is the only way to record an event. What a call announces is recorded when the call returns, in the order
//! in which it was announced and by one statement.

use std::cell::OnceCell;

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::json;

use super::record::{EventType, Events};
use super::task_snapshot::{EventDetail, TaskSnapshot};
use crate::error::Result;
use crate::postgres::clock;
use crate::postgres::entry::entry_named;

/// The moment and the events of a call.
pub struct Call {
    now: OnceCell<TimestampWithTimeZone>,
    events: Events,
}

/// Runs the body of a SQL-callable function that may record events, as [`crate::postgres::entry::entry`] does for a
/// function that records none.
pub fn call<T, F: FnOnce(&mut Call) -> Result<T>>(work: F) -> T {
    entry_named(std::any::type_name::<F>(), || {
        let mut call = Call { now: OnceCell::new(), events: Events::new(None) };
        let value = work(&mut call)?;
        call.record();
        Ok(value)
    })
}

/// Runs a sweep that began at `now`. Its events carry its id.
pub fn sweep<R>(id: Uuid, now: TimestampWithTimeZone, work: impl FnOnce(&mut Call) -> R) -> R {
    let call = Call { now: OnceCell::from(now), events: Events::new(Some(id)) };
    call.finish(work)
}

impl Call {
    fn finish<R>(mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let result = work(&mut self);
        self.record();
        result
    }

    /// Returns the moment of the call, which is read at the first use of this method. A call uses it only when it holds
    /// its locks, because it may have waited for them.
    pub fn now(&self) -> TimestampWithTimeZone {
        *self.now.get_or_init(clock::now)
    }

    /// Runs a part of the call that records its own events, before the events that the call has announced, so that rows
    /// that are written in a subtransaction are rolled back together with their events.
    pub fn part<R>(&self, work: impl FnOnce(&mut Self) -> R) -> R {
        let part = Self { now: OnceCell::from(self.now()), events: self.events.none_yet() };
        part.finish(work)
    }

    /// Whether something was announced and is not recorded yet.
    pub fn is_pending(&self) -> bool {
        !self.events.is_empty()
    }

    /// Records now what was announced so far. This is necessary if events describe rows that are about to be deleted,
    /// or belong into the subtransaction of their rows.
    pub fn record(&mut self) {
        if self.is_pending() {
            let none = self.events.none_yet();
            std::mem::replace(&mut self.events, none).record(self.now());
        }
    }

    /// Announces that an agent's status has changed.
    pub fn agent_status(&mut self, agent: Uuid) {
        self.events.push(EventType::AgentStatus, agent, json!({}));
    }

    /// Announces that an issue has another status now than `status`.
    pub fn issue_updated(&mut self, issue: Uuid, status: &str) {
        let detail = json!({ "prev_status": status });
        self.events.push(EventType::IssueUpdated, issue, detail);
    }

    /// Announces that an autopilot run has ended.
    pub fn run_done(&mut self, run: Uuid) {
        self.events.push(EventType::RunDone, run, json!({}));
    }

    /// Announces that an autopilot of the workspace was paused. `payload` is an object with the autopilot.
    pub fn autopilot_paused(&mut self, workspace: Uuid, payload: String) {
        self.events.push_whole(EventType::AutopilotUpdated, workspace, payload);
    }

    /// Announces that a task waits to be claimed.
    pub fn task_queued(&mut self, task: &TaskSnapshot) {
        self.events.describe(EventType::TaskQueued, task, None);
    }

    /// Announces that a task was claimed.
    pub fn task_dispatched(&mut self, task: &TaskSnapshot) {
        self.events.describe(EventType::TaskDispatched, task, None);
    }

    /// Announces that the agent of a task runs.
    pub fn task_running(&mut self, task: &TaskSnapshot) {
        self.events.describe(EventType::TaskRunning, task, None);
    }

    /// Announces that a claimed task waits for its directory, for this reason.
    pub fn task_waits(&mut self, task: &TaskSnapshot, wait_reason: Option<&str>) {
        self.events.describe(EventType::TaskWaits, task, Some(EventDetail::Wait { wait_reason }));
    }

    /// Announces the progress of a running task. `progress` is the text of a JSON object.
    pub fn task_progress(&mut self, task: &TaskSnapshot, progress: &str) {
        self.events.progress(task, progress);
    }

    /// Announces that the process of the `failed` task has taken over its retry.
    pub fn task_resumed(&mut self, retry: &TaskSnapshot, failed: Uuid) {
        self.events.describe(EventType::TaskResumed, retry, Some(EventDetail::resumed(failed)));
    }

    /// Announces that a task was completed.
    pub fn task_completed(&mut self, task: &TaskSnapshot) {
        self.events.describe(EventType::TaskCompleted, task, None);
    }

    /// Announces that a task was cancelled.
    pub fn task_cancelled(&mut self, task: &TaskSnapshot) {
        self.events.describe(EventType::TaskCancelled, task, None);
    }

    /// Announces that a task has failed; `retry` is its retry.
    pub fn task_failed(&mut self, task: &TaskSnapshot, retry: Option<Uuid>) {
        let detail = task.failure(retry);
        self.events.describe(EventType::TaskFailed, task, Some(detail));
    }

    /// Announces that a turn of a chat has ended. The application adds its text.
    pub fn turn_done(&mut self, task: &TaskSnapshot) {
        let detail = EventDetail::Content { content: "" };
        self.events.describe(EventType::TurnDone, task, Some(detail));
    }

    /// Announces that runtimes of a workspace were registered. `replaced` has the runtimes that another process had
    /// registered before, with the incarnation of that process.
    pub fn registered(&mut self, workspace: Uuid, runtimes: &[Uuid], replaced: &[(Uuid, Uuid)]) {
        self.events.registered(workspace, runtimes, replaced);
    }

    /// Announces an `action` on runtimes, which are given as pairs of workspace and runtime, in one event per
    /// workspace.
    pub fn runtimes(&mut self, action: &str, runtimes: impl IntoIterator<Item = (Uuid, Uuid)>) {
        self.events.runtimes(action, runtimes);
    }
}
