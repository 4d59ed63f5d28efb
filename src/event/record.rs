//! Recording: the events of a call, written in its transaction by one statement.

use std::cell::Cell;
use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::log::{self, Asker};
use super::told::{More, Told};
use super::wake;
use crate::settings;
use crate::spi::{self, Statement, arg};

static HOLD: Statement = Statement::write(include_str!("../../sql/event/hold.sql"));
static RECORD: Statement = Statement::write(include_str!("../../sql/event/record.sql")).by_id();

thread_local! {
    static HELD: Cell<Option<i64>> = const { Cell::new(None) };
}

/// The events of a call, in the order in which they are to be read.
#[derive(Default)]
pub struct Events {
    sweep: Option<Uuid>,
    all: Vec<Entry>,
}

struct Entry {
    kind: &'static str,
    /// The row that is looked up when the event is written.
    subject: Option<Uuid>,
    workspace: Option<Uuid>,
    detail: Option<String>,
}

impl Events {
    /// Events that all carry the id of the sweep that made them.
    pub fn of_sweep(sweep: Uuid) -> Self {
        Self {
            sweep: Some(sweep),
            ..Self::default()
        }
    }

    /// None yet, of the same sweep.
    pub fn none_yet(&self) -> Self {
        Self {
            sweep: self.sweep,
            ..Self::default()
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds events that come after these.
    pub fn append(&mut self, later: Self) {
        self.all.extend(later.all);
    }

    /// An event about a row that is looked up when it is written: an agent, issue or autopilot run, or for daemon:register a
    /// workspace. `detail` is an object of what its tables do not tell.
    pub fn push(&mut self, kind: &'static str, subject: Uuid, mut detail: Value) {
        if let Some(sweep) = self.sweep {
            detail["sweep_id"] = json!(sweep.to_string());
        }
        let tells = detail.as_object().is_some_and(|keys| !keys.is_empty());
        self.all.push(Entry {
            kind,
            subject: Some(subject),
            workspace: None,
            detail: tells.then(|| detail.to_string()),
        });
    }

    /// An event that tells nothing but a task as it was just written.
    pub fn task(&mut self, kind: &'static str, task: &Told) {
        self.tell(kind, task, None);
    }

    /// A task has failed; `retry` repeats it.
    pub fn failed(&mut self, task: &Told, retry: Option<Uuid>) {
        self.tell("task:failed", task, Some(task.failure(retry)));
    }

    /// A chat's turn is over. What it came to is the application's to tell.
    pub fn turn_done(&mut self, task: &Told) {
        self.tell("chat:done", task, Some(More::Content { content: "" }));
    }

    fn tell(&mut self, kind: &'static str, task: &Told, more: Option<More>) {
        self.all.push(Entry {
            kind,
            subject: task.has_context().then(|| task.id()),
            workspace: task.workspace(),
            detail: Some(task.payload(more, self.sweep)),
        });
    }

    /// One daemon:register event a workspace for something that happened to its runtimes.
    pub fn runtimes(&mut self, action: &str, runtimes: impl IntoIterator<Item = (Uuid, Uuid)>) {
        let mut by_workspace: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
        for (workspace, runtime) in runtimes {
            by_workspace
                .entry(workspace)
                .or_default()
                .push(runtime.to_string());
        }
        for (workspace, ids) in by_workspace {
            let detail = json!({ "action": action, "runtime_ids": ids });
            self.push("daemon:register", workspace, detail);
        }
    }

    /// Writes them; listeners are woken at commit.
    pub fn record(self, now: TimestampWithTimeZone) {
        let events = self.all;
        if events.is_empty() {
            return;
        }
        hold_back_readers();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind).collect();
        let subjects: Vec<Option<Uuid>> = events.iter().map(|event| event.subject).collect();
        let workspaces: Vec<Option<Uuid>> = events.iter().map(|event| event.workspace).collect();
        let details: Vec<Option<&str>> =
            events.iter().map(|event| event.detail.as_deref()).collect();
        RECORD.run(&[
            arg(now),
            arg(kinds),
            arg(subjects),
            arg(workspaces),
            arg(details),
        ]);
    }
}

/// Once a transaction, before its first event: see hold.sql. A rolled back savepoint releases the lock and takes back the
/// wake-up, so what counts is whether it is held, not whether it was taken.
fn hold_back_readers() {
    if HELD.get().is_some_and(spi::holds_event_lock) {
        return;
    }
    HELD.set(HOLD.row(&[], |row| row.must(1)));
    if let Some(drawn) = HELD.get() {
        log::settle(drawn, Asker::Recorder).unwrap_or_else(|error| error.raise());
    }
    if settings::notify() {
        wake::at_commit();
    }
}
