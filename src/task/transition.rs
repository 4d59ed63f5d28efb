//! Code that the transitions of a task share: the state of the task, the claim token, and the row that they return.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use crate::error::{Error, Result, Word};
use crate::lifecycle::event::TaskSnapshot;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::status_sets::TERMINAL;
use crate::postgres::composite::Composite;
use crate::postgres::statement::{Arg, Statement, arg};
use crate::types::Transition;

static STATE: Statement = Statement::volatile(sql!("task/state.sql")).of_visible_rows().by_id();
static TRANSITION: Statement = Statement::volatile(sql!("task/transition.sql")).of_visible_rows().by_id();

extension_sql_file!(
    "../../sql/extension/comments/transition.sql",
    name = "transition_comments",
    requires = [multica_start, multica_complete_since_0_4, multica_fail_since_0_4, multica_pin_session_since_0_4]
);

/// What decides whether a transition is legal.
pub struct State {
    /// Status as the table has it.
    pub status: String,
    /// Token of the claim that dispatched the task last.
    pub token: Option<i64>,
}

impl State {
    /// Returns the state of a task, or P0002 if it does not exist.
    pub fn of(task: Uuid) -> Result<Self> {
        STATE
            .row(&[arg(task)], |row| Self { status: row.must(1), token: row.get(2).map(claim_token::of) })
            .ok_or_else(|| Error::not_found("task", task))
    }

    /// Locks every row that the end of a task writes, and returns the state of the task. Returns None if the task has
    /// already ended, and 55000 if a newer claim has superseded the caller's claim.
    pub fn open(task: Uuid, token: Option<i64>) -> Result<Option<Self>> {
        LockSet::of_tasks(vec![task]).acquire()?;
        let state = Self::of(task)?;
        if state.is_final() {
            return Ok(None);
        }
        state.check_token(task, token)?;
        Ok(Some(state))
    }

    /// Whether the task has ended, so that nothing changes it any more.
    pub fn is_final(&self) -> bool {
        TERMINAL.contains(&self.status.as_str())
    }

    /// Returns 55000 if a newer claim has superseded the caller's claim. NULL is not checked.
    pub fn check_token(&self, task: Uuid, token: Option<i64>) -> Result<()> {
        if token.is_none() || token == self.token {
            return Ok(());
        }
        Err(Error::state(
            Word::StaleClaim,
            format!("the claim token of task {task} is stale"),
            format!("The task is {} and has a newer claim token.", self.status),
            "Stop working on the task; the claim is no longer valid.",
        ))
    }

    /// Returns the error 55000, which reports the status of the task and the statuses from which the transition is
    /// `allowed`. If the status is one of these, a trigger or another session prevented the write, and the error
    /// reports that.
    pub fn refuse(&self, task: Uuid, verb: &str, allowed: &[&str]) -> Error {
        if allowed.contains(&self.status.as_str()) {
            return Error::kept_out(
                format!("task {task} could not be {verb}"),
                "A trigger on agent_task_queue keeps the row unchanged, or another session changed the task at the same time.",
            );
        }
        Error::state(
            if self.is_final() { Word::Final } else { Word::WrongState },
            format!("task {task} cannot be {verb}"),
            format!("It is {}; only a task that is {} can be {verb}.", self.status, listed(allowed)),
            "Inspect it with multica_get_task().",
        )
    }
}

/// Joins words as in a sentence: "a, b or c".
fn listed(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}

/// A task that a statement has just written: for its events, and as the row that the call returns.
pub struct Transitioned {
    /// The task, with its workspace.
    pub told: TaskSnapshot,
    /// The row of the transition.
    pub row: Composite<Transition>,
}

impl Transitioned {
    /// Runs a statement that writes one task and returns the row of the transition with the workspace; None if it has
    /// written none.
    pub fn by(statement: &Statement, args: &[Arg]) -> Option<Self> {
        let mut tell = TaskSnapshot::reader();
        let applied = Outcome::APPLIED.values();
        statement.row(args, |row| Self {
            told: tell(row).within(row.column("workspace_id")),
            row: Composite::from_row_and(row, &applied),
        })
    }
}

/// The task as it is now, and what the transition did.
#[derive(Default)]
pub struct Outcome {
    /// Whether this call changed the task.
    pub applied: bool,
    /// The retry that was queued.
    pub retry: Option<Uuid>,
    /// Whether this call stamped the first_executed_at.
    pub first_execution: bool,
}

impl Outcome {
    /// The call has changed the task, and nothing else is to be reported.
    pub const APPLIED: Self = Self { applied: true, retry: None, first_execution: false };

    /// Returns the row of the transition.
    pub fn of(self, task: Uuid) -> Result<Composite<Transition>> {
        let values = self.values();
        TRANSITION
            .row(&[arg(task)], |row| Composite::from_row_and(row, &values))
            .ok_or_else(|| Error::not_found("task", task))
    }

    /// Returns what the row of a transition has besides the columns of the task. A user may have added columns of these
    /// names to the table.
    pub fn values(&self) -> [(&'static str, Arg); 3] {
        [
            ("applied", arg(self.applied)),
            ("retry_task_id", arg(self.retry)),
            ("first_execution", arg(self.first_execution)),
        ]
    }
}
