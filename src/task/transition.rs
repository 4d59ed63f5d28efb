//! What the transitions of a task have in common: its state, the claim token, and the row they return.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use crate::error::{Error, Result, Word};
use crate::lifecycle::event::TaskSnapshot;
use crate::lifecycle::lock_set::LockSet;
use crate::postgres::composite::Composite;
use crate::postgres::statement::{Statement, arg};
use crate::types::Transition;

static STATE: Statement = Statement::volatile(sql!("task/state.sql")).of_visible_rows().by_id();
static TRANSITION: Statement = Statement::volatile(sql!("task/transition.sql")).of_visible_rows().by_id();
static POINT_CHAT: Statement = Statement::volatile(sql!("task/point_chat.sql")).by_id();

extension_sql_file!(
    "../../sql/extension/comments/transition.sql",
    name = "transition_comments",
    requires = [multica_start, multica_complete, multica_fail, multica_pin_session]
);

/// What decides whether a transition is legal.
pub struct State {
    /// Status as the table has it.
    pub status: String,
    /// Token of the claim that dispatched it last.
    pub token: Option<i64>,
}

impl State {
    /// The state of a task; P0002 where it does not exist.
    pub fn of(task: Uuid) -> Result<Self> {
        STATE
            .row(&[arg(task)], |row| Self { status: row.must(1), token: row.get(2).map(claim_token::of) })
            .ok_or_else(|| Error::not_found("task", task))
    }

    /// The state of a task that the caller's claim may bring to its end, with everything locked that its end touches.
    /// None: it is over already. 55000 where the claim was superseded by a newer one.
    pub fn open(task: Uuid, token: Option<i64>) -> Result<Option<Self>> {
        LockSet::of_tasks(vec![task]).acquire();
        let state = Self::of(task)?;
        if state.is_final() {
            return Ok(None);
        }
        state.check_token(task, token)?;
        Ok(Some(state))
    }

    /// Whether nothing changes it any more.
    pub fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }

    /// 55000 where the caller's claim was superseded by a newer one; NULL is not checked.
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

    /// 55000 saying what the task is and from where the transition is `allowed`. Where that is the state it is in,
    /// something kept the row as it is.
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

/// Words as a sentence lists them: "a, b or c".
fn listed(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}

/// The chat session of a task, if it is a turn of one, remembers where it ended.
pub fn point_chat(task: &TaskSnapshot, now: TimestampWithTimeZone) {
    if task.is_turn() {
        POINT_CHAT.run(&[arg(task.id()), arg(now)]);
    }
}

/// The task as it is now, and what the transition did.
#[derive(Default)]
pub struct Outcome {
    /// Whether this call changed it.
    pub applied: bool,
    /// The retry that was queued.
    pub retry: Option<Uuid>,
    /// Whether this call stamped the first_executed_at.
    pub first_execution: bool,
}

impl Outcome {
    /// The row that the transition returns.
    pub fn of(self, task: Uuid) -> Result<Composite<Transition>> {
        let args = [arg(task), arg(self.applied), arg(self.retry), arg(self.first_execution)];
        TRANSITION.row(&args, Composite::from_row).ok_or_else(|| Error::not_found("task", task))
    }
}
