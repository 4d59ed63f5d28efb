//! Functions with the arguments that they had in earlier versions. SQL objects of these versions call them until they
//! are updated.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::cancel::cancel_task;
use super::claim::claim_tasks;
use super::complete::{Completion, complete};
use super::enqueue::{
    Given, enqueue_for_agent, enqueue_for_chat, enqueue_for_issue, enqueue_for_mention, enqueue_for_run,
};
use super::fail::{Failure, fail};
use super::pin_session::pin;
use super::rerun::rerun_issue;
use super::run_end::{Extra, RunEnd};
use crate::lifecycle::cancellation::Why;
use crate::lifecycle::event::call;
use crate::postgres::composite::Composite;
use crate::postgres::entry::entry;
use crate::postgres::jsonb::Jsonb;
use crate::types::{Claimed, Enqueued, Task, Transition};

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

/// multica_enqueue before 0.4.0, without provenance and a time.
#[pg_extern(sql = false)]
fn multica_enqueue(
    agent_id: Option<Uuid>,
    context: Option<Jsonb>,
    priority: Option<i32>,
    max_attempts: Option<i32>,
) -> Composite<Enqueued> {
    call(|call| enqueue_for_agent(agent_id, given(None, priority, max_attempts, context), call))
}

/// multica_enqueue_issue before 0.4.0, without provenance, a time and an escalation.
#[pg_extern(sql = false)]
fn multica_enqueue_issue(
    issue_id: Option<Uuid>,
    trigger_comment_id: Option<Uuid>,
    priority: Option<i32>,
    max_attempts: Option<i32>,
    context: Option<Jsonb>,
) -> Composite<Enqueued> {
    call(|call| enqueue_for_issue(issue_id, given(trigger_comment_id, priority, max_attempts, context), None, call))
}

/// multica_enqueue_mention before 0.4.0, without provenance, a time and an escalation.
#[pg_extern(sql = false)]
fn multica_enqueue_mention(
    issue_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    trigger_comment_id: Option<Uuid>,
    priority: Option<i32>,
    max_attempts: Option<i32>,
    context: Option<Jsonb>,
) -> Composite<Enqueued> {
    call(|call| {
        let given = given(trigger_comment_id, priority, max_attempts, context);
        enqueue_for_mention(issue_id, agent_id, given, None, call)
    })
}

/// multica_enqueue_chat before 0.4.0, without provenance, a time and messages of its own.
#[pg_extern(sql = false)]
fn multica_enqueue_chat(
    chat_session_id: Option<Uuid>,
    trigger_comment_id: Option<Uuid>,
    priority: Option<i32>,
    max_attempts: Option<i32>,
    context: Option<Jsonb>,
) -> Composite<Enqueued> {
    call(|call| {
        let given = given(trigger_comment_id, priority, max_attempts, context);
        enqueue_for_chat(chat_session_id, given, None, call)
    })
}

/// multica_enqueue_autopilot before 0.4.0, without provenance and a time.
#[pg_extern(sql = false)]
fn multica_enqueue_autopilot(
    autopilot_run_id: Option<Uuid>,
    trigger_comment_id: Option<Uuid>,
    priority: Option<i32>,
    max_attempts: Option<i32>,
    context: Option<Jsonb>,
) -> Composite<Enqueued> {
    call(|call| enqueue_for_run(autopilot_run_id, given(trigger_comment_id, priority, max_attempts, context), call))
}

/// multica_rerun before 0.4.0, without provenance.
#[pg_extern(sql = false)]
fn multica_rerun(issue_id: Option<Uuid>, trigger_comment_id: Option<Uuid>) -> Composite<Task> {
    call(|call| rerun_issue(issue_id, trigger_comment_id, None, call))
}

fn given(comment: Option<Uuid>, priority: Option<i32>, max_attempts: Option<i32>, context: Option<Jsonb>) -> Given {
    Given { comment, priority, max_attempts, context, provenance: None, run_after: None }
}
