//! The failure of a task that its daemon reports.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::transition::{self, Outcome, State};
use crate::argument::required;
use crate::lifecycle::compatibility;
use crate::lifecycle::consequences;
use crate::lifecycle::event::{TaskSnapshot, call};
use crate::lifecycle::status_sets::IN_FLIGHT;
use crate::postgres::composite::Composite;
use crate::postgres::statement::{Statement, arg};
use crate::types::Transition;

static FAIL: Statement = Statement::volatile(sql!("task/fail.sql")).by_id();

/// Sets a task in flight to failed, with the same consequences as every other failure: a retry if the reason allows
/// one, otherwise the issue is set back to todo if it has no active task. A task that has already ended is returned as
/// it is.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_fail(
    task_id: Option<Uuid>,
    error: Option<String>,
    failure_reason: default!(Option<String>, "NULL"),
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
) -> Composite<Transition> {
    call(|call| {
        compatibility::require(&[compatibility::ENDING])?;
        let task = required("task_id", task_id)?;
        let error = required("error", error)?;
        let Some(state) = State::open(task, claim_token)? else {
            return Outcome::default().of(task);
        };
        let now = call.now();
        let args = [arg(task), arg(now), arg(error), arg(failure_reason), arg(session_id), arg(work_dir)];
        let failed = TaskSnapshot::read(&FAIL, &args);
        let Some(told) = failed.first() else {
            return Err(state.refuse(task, "failed", &IN_FLIGHT));
        };
        transition::point_chat(told, now);
        let done = consequences::apply_consequences(&failed, |_| true, call);
        Outcome { applied: true, retry: done.retries.first().copied(), ..Outcome::default() }.of(task)
    })
}
