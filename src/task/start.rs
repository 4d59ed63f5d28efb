//! The start of a task by its daemon.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::transition::{Outcome, State, Transitioned};
use crate::argument::required;
use crate::error::Result;
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::consequences;
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::status_sets::STARTABLE;
use crate::postgres::clock;
use crate::postgres::composite::Composite;
use crate::postgres::statement::{Statement, arg};
use crate::types::Transition;

static START: Statement = Statement::volatile(sql!("task/start.sql")).by_id();
static START_WITH_OTHERS: Statement = Statement::volatile(sql!("task/start_with_others.sql")).by_id();
static ESCALATIONS: Statement = Statement::volatile(sql!("task/escalations.sql")).by_id();

/// Sets a claimed task to running. A daemon must not run a task that was failed or cancelled in the meantime, so that is
/// 55000. A repeated call with the current claim token changes nothing and returns `applied` = false.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_start(task_id: Option<Uuid>, claim_token: default!(Option<i64>, "NULL")) -> Composite<Transition> {
    call(|call| {
        let task = required("task_id", task_id)?;
        let args = [arg(task), arg(clock::now()), arg(claim_token.map(claim_token::dispatched_at))];
        if let Some(started) = Transitioned::by(&START, &args) {
            call.task_running(&started.told);
            return Ok(started.row);
        }
        let mut state = State::of(task)?;
        if STARTABLE.contains(&state.status.as_str()) {
            state.check_token(task, claim_token)?;
            if state.status != "dispatched" || !escalations_of(task).is_empty() {
                if let Some(started) = start_with_others(task, claim_token, call)? {
                    return Ok(started);
                }
                state = State::of(task)?;
            }
        }
        if state.status == "running" && claim_token.is_some() && state.token == claim_token {
            return Outcome::default().of(task);
        }
        if STARTABLE.contains(&state.status.as_str()) {
            state.check_token(task, claim_token)?;
        }
        Err(state.refuse(task, "started", &STARTABLE))
    })
}

/// Returns the tasks that are to run unless the task starts, each with its agent.
fn escalations_of(task: Uuid) -> Vec<(Uuid, Option<Uuid>)> {
    ESCALATIONS.rows(&[arg(task)], |row| (row.must(1), row.get(2)))
}

/// Starts a task, cancels the tasks that were to run unless it started, and reconciles its agent, which was idle if the
/// task waited for a directory. Returns None if the task cannot be started any more.
fn start_with_others(task: Uuid, claim_token: Option<i64>, call: &mut Call) -> Result<Option<Composite<Transition>>> {
    let others = escalations_of(task).into_iter().map(|(escalation, _)| escalation);
    let wanted = LockSet::of_cancelled(others.chain([task]).collect());
    wanted.acquire()?;
    let args = [arg(task), arg(call.now()), arg(claim_token.map(claim_token::dispatched_at))];
    let Some(started) = Transitioned::by(&START_WITH_OTHERS, &args) else { return Ok(None) };
    call.task_running(&started.told);
    // An escalation of an agent that is not locked was queued at this moment. It is cancelled when it is due.
    let others = escalations_of(task).into_iter();
    let others = others.filter(|(_, agent)| agent.is_some_and(|agent| wanted.agents.contains(&agent)));
    let others: Vec<Uuid> = others.map(|(escalation, _)| escalation).collect();
    wanted.add_chats_of(&others)?;
    if !others.is_empty() {
        cancel(others, call);
    }
    for agent in consequences::reconcile(&consequences::agents_of(&[started.told]), call.now()) {
        call.agent_status(agent);
    }
    Ok(Some(started.row))
}
