//! The completion of a task.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::fail::fail_open;
use super::issue_status;
use super::late_end;
use super::run_end::{Extra, RunEnd};
use super::transition::{Outcome, State, Transitioned};
use crate::argument::required;
use crate::error::Result;
use crate::lifecycle::consequences;
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::failure_reason::{self, CONTEXT_OVERFLOW};
use crate::lifecycle::features::Feature;
use crate::lifecycle::lock_set::LockSet;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::types::Transition;

static COMPLETE: Statement = Statement::volatile(sql!("task/complete.sql")).by_id();
static STAMP_ISSUE: Statement = Statement::volatile(sql!("task/stamp_issue.sql")).by_id();
static COMPLETE_RUN: Statement = Statement::volatile(sql!("task/complete_run.sql")).by_id();

/// The key of the result under which an agent's output is.
const OUTPUT: &str = "output";

/// What a daemon reports about a task that it has completed.
pub struct Completion {
    /// The task.
    pub task_id: Option<Uuid>,
    /// The result.
    pub result: Option<Jsonb>,
    /// Where the run has ended.
    pub end: RunEnd,
    /// The token of the claim; None is not checked.
    pub claim_token: Option<i64>,
    /// The status that the issue of the task gets; None leaves the issue as it is.
    pub issue_status: Option<String>,
}

/// Sets a running task to completed, with everything that follows: the chat's pointer, the autopilot run, the issue's
/// first execution and its status, the agent's status, the events. A task that has already ended is returned as it is,
/// so that a repeated call is harmless.
#[allow(clippy::too_many_arguments)]
#[pg_extern(name = "multica_complete")]
#[search_path(@extschema@, pg_temp)]
fn multica_complete_since_0_4(
    task_id: Option<Uuid>,
    result: default!(Option<Jsonb>, "NULL"),
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
    extra: default!(Option<Jsonb>, "NULL"),
    issue_status: default!(Option<String>, "NULL"),
) -> Composite<Transition> {
    call(|call| {
        let end = RunEnd { session_id, work_dir, extra: Extra::read(extra)? };
        complete(Completion { task_id, result, end, claim_token, issue_status }, call)
    })
}

/// Completes a task, as `multica_complete`. If its output says that the agent's context is used up, the task fails.
pub fn complete(report: Completion, call: &mut Call) -> Result<Composite<Transition>> {
    let task = required("task_id", report.task_id)?;
    let Completion { result, end, claim_token, issue_status, .. } = report;
    if let Some(message) = result.as_ref().and_then(exhaustion) {
        return fail_exhausted(task, message, &end, claim_token, call);
    }
    let wanted = LockSet::of_run(task, issue_status.is_some());
    wanted.acquire()?;
    let now = call.now();
    let token = claim_token.map(claim_token::dispatched_at);
    let args = [arg(task), arg(now), arg(result)].into_iter().chain(end.args()).chain([arg(token)]);
    let done = Transitioned::by(&COMPLETE, &args.collect::<Vec<_>>());
    let Some(Transitioned { told, row: completed }) = done else {
        let state = State::of(task)?;
        if state.is_final() {
            let wanted = |retry| LockSet { tasks: vec![retry], ..LockSet::of_run(retry, issue_status.is_some()) };
            return match late_end::retry_of(task, claim_token, wanted, call)? {
                Some((retry, token)) => {
                    let (task_id, claim_token) = (Some(retry), Some(token));
                    complete(Completion { task_id, result, end, claim_token, issue_status }, call)
                }
                None => Outcome::default().of(task),
            };
        }
        state.check_token(task, claim_token)?;
        return Err(state.refuse(task, "completed", &["running"]));
    };
    let stamp = |issue: &Uuid| STAMP_ISSUE.run(&[arg(*issue), arg(now)]) > 0;
    let first_execution = wanted.issues.iter().any(stamp);
    call.task_completed(&told);
    consequences::delete_tokens(std::slice::from_ref(&told));
    if told.is_turn() {
        consequences::point_chat(&told, now);
        call.turn_done(&told);
    }
    if let Some(run) = told.run()
        && COMPLETE_RUN.run(&[arg(run), arg(now), arg(result)]) > 0
    {
        consequences::settle_quota(&[run], "consumed", now);
        call.run_done(run);
    }
    if let Some(status) = issue_status {
        issue_status::set(told.issue(), &status, &wanted.runs, call)?;
    }
    for agent in consequences::reconcile(&wanted.agents, now) {
        call.agent_status(agent);
    }
    if first_execution {
        let outcome = Outcome { applied: true, first_execution, ..Outcome::default() };
        return outcome.of(task);
    }
    Ok(completed)
}

/// Returns the output of a result, if it is nothing but the message that the agent's context is used up, and the server
/// of these tables would fail the task because of it.
fn exhaustion(result: &Jsonb) -> Option<String> {
    let output = result.field(OUTPUT).unwrap_or(*result);
    let message = output.short_text(failure_reason::MOST_OF_MESSAGE)?;
    (failure_reason::is_exhaustion(&message) && Feature::Fresh.is_present()).then_some(message)
}

/// Fails a task that its daemon has reported as completed, with the message as its error.
fn fail_exhausted(
    task: Uuid,
    message: String,
    end: &RunEnd,
    claim_token: Option<i64>,
    call: &mut Call,
) -> Result<Composite<Transition>> {
    let (task, state) = late_end::open(task, claim_token, call)?;
    let Some(state) = state else {
        return Outcome::default().of(task);
    };
    if state.status != "running" {
        return Err(state.refuse(task, "completed", &["running"]));
    }
    fail_open(task, &state, message, CONTEXT_OVERFLOW, end, call)
}
