//! The failure of a task that its daemon reports.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::late_end;
use super::run_end::{Extra, RunEnd};
use super::transition::{Outcome, State};
use crate::argument::required;
use crate::error::Result;
use crate::lifecycle::consequences;
use crate::lifecycle::event::{Call, TaskSnapshot, call};
use crate::lifecycle::failure_reason::{AGENT_ERROR, classify};
use crate::lifecycle::features::Feature;
use crate::lifecycle::status_sets::IN_FLIGHT;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::types::Transition;

static FAIL: Statement = Statement::volatile(sql!("task/fail.sql")).by_id();

/// What a daemon reports about a task that has failed.
pub struct Failure {
    /// The task.
    pub task_id: Option<Uuid>,
    /// Text for people.
    pub error: Option<String>,
    /// Word for programs; it is found in the error if it is NULL or empty.
    pub failure_reason: Option<String>,
    /// Where the run has ended.
    pub end: RunEnd,
    /// The token of the claim; None is not checked.
    pub claim_token: Option<i64>,
}

/// Sets a task in flight to failed, with the same consequences as every other failure: a retry if the reason allows
/// one, otherwise the issue is set back to todo if it has no active task. A task that has already ended is returned as
/// it is.
#[pg_extern(name = "multica_fail")]
#[search_path(@extschema@, pg_temp)]
fn multica_fail_since_0_4(
    task_id: Option<Uuid>,
    error: Option<String>,
    failure_reason: default!(Option<String>, "NULL"),
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
    extra: default!(Option<Jsonb>, "NULL"),
) -> Composite<Transition> {
    call(|call| {
        let end = RunEnd { session_id, work_dir, extra: Extra::read(extra)? };
        fail(Failure { task_id, error, failure_reason, end, claim_token }, call)
    })
}

/// Fails a task, as `multica_fail`.
pub fn fail(report: Failure, call: &mut Call) -> Result<Composite<Transition>> {
    let task = required("task_id", report.task_id)?;
    let error = required("error", report.error)?;
    // Before the locks, because a long text takes time.
    let given = report.failure_reason.unwrap_or_default();
    let reason = if Feature::Fresh.is_present() {
        classify(&error, &given)
    } else if given.is_empty() {
        AGENT_ERROR.to_string()
    } else {
        given
    };
    let (task, state) = late_end::open(task, report.claim_token, call)?;
    let Some(state) = state else {
        return Outcome::default().of(task);
    };
    fail_open(task, &state, error, &reason, &report.end, call)
}

/// Fails a task whose locks are held and that has not ended, with all consequences.
pub fn fail_open(
    task: Uuid,
    state: &State,
    error: String,
    reason: &str,
    end: &RunEnd,
    call: &mut Call,
) -> Result<Composite<Transition>> {
    let now = call.now();
    let args = [arg(task), arg(now), arg(error), arg(reason)].into_iter().chain(end.args());
    let failed = TaskSnapshot::read(&FAIL, &args.collect::<Vec<_>>());
    let Some(told) = failed.first() else {
        return Err(state.refuse(task, "failed", &IN_FLIGHT));
    };
    consequences::point_chat(told, now);
    let done = consequences::apply_consequences(&failed, |_| true, call);
    Outcome { applied: true, retry: done.retries.first().copied(), ..Outcome::default() }.of(task)
}
