//! Functions with the arguments that they had in earlier versions. SQL objects of these versions call them until they
//! are updated.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::cancel::cancel_task;
use super::claim::claim_tasks;
use super::complete::{Completion, complete};
use super::fail::{Failure, fail};
use super::pin_session::pin;
use super::run_end::{Extra, RunEnd};
use crate::lifecycle::cancellation::Why;
use crate::lifecycle::event::call;
use crate::postgres::composite::Composite;
use crate::postgres::entry::entry;
use crate::postgres::jsonb::Jsonb;
use crate::types::{Claimed, Transition};

/// multica_claim before 0.4.0, without an incarnation.
#[pg_extern(sql = false)]
fn multica_claim(runtime_id: Option<Uuid>, max_tasks: Option<i32>) -> SetOfIterator<'static, Composite<Claimed>> {
    call(|call| claim_tasks(runtime_id, max_tasks, None, call))
}

/// multica_complete before 0.4.0, without `extra` and the status of the issue.
#[pg_extern(sql = false)]
fn multica_complete(
    task_id: Option<Uuid>,
    result: Option<Jsonb>,
    session_id: Option<String>,
    work_dir: Option<String>,
    claim_token: Option<i64>,
) -> Composite<Transition> {
    let end = RunEnd { session_id, work_dir, extra: Extra::default() };
    call(|call| complete(Completion { task_id, result, end, claim_token, issue_status: None }, call))
}

/// multica_fail before 0.4.0, without `extra`.
#[pg_extern(sql = false)]
fn multica_fail(
    task_id: Option<Uuid>,
    error: Option<String>,
    failure_reason: Option<String>,
    session_id: Option<String>,
    work_dir: Option<String>,
    claim_token: Option<i64>,
) -> Composite<Transition> {
    let end = RunEnd { session_id, work_dir, extra: Extra::default() };
    call(|call| fail(Failure { task_id, error, failure_reason, end, claim_token }, call))
}

/// multica_pin_session before 0.4.0, without `extra`.
#[pg_extern(sql = false)]
fn multica_pin_session(
    task_id: Option<Uuid>,
    session_id: Option<String>,
    work_dir: Option<String>,
    claim_token: Option<i64>,
) -> bool {
    entry(|| pin(task_id, &RunEnd { session_id, work_dir, extra: Extra::default() }, claim_token))
}

/// multica_cancel before 0.4.0, without a reason.
#[pg_extern(sql = false)]
fn multica_cancel(task_id: Option<Uuid>) -> Composite<Transition> {
    call(|call| cancel_task(task_id, &Why::default(), call))
}
