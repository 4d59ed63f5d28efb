//! The completion of a task.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::transition::{self, Outcome, State};
use crate::argument::required;
use crate::lifecycle::compatibility;
use crate::lifecycle::consequences;
use crate::lifecycle::event::{TaskSnapshot, call};
use crate::lifecycle::lock_set::LockSet;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::types::Transition;

static COMPLETE: Statement = Statement::volatile(sql!("task/complete.sql")).by_id();
static STAMP_ISSUE: Statement = Statement::volatile(sql!("task/stamp_issue.sql")).by_id();
static COMPLETE_RUN: Statement = Statement::volatile(sql!("task/complete_run.sql")).by_id();

/// Sets a running task to completed, with everything that follows: the chat's pointer, the autopilot run, the issue's
/// first execution, the agent's status, the events. A task that has already ended is returned as it is, so that a
/// repeated call is harmless.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_complete(
    task_id: Option<Uuid>,
    result: default!(Option<Jsonb>, "NULL"),
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
) -> Composite<Transition> {
    call(|call| {
        compatibility::require(&[compatibility::ENDING])?;
        let task = required("task_id", task_id)?;
        let wanted = LockSet::of_run(task);
        wanted.acquire()?;
        let now = call.now();
        let args = [
            arg(task),
            arg(now),
            arg(result),
            arg(session_id),
            arg(work_dir),
            arg(claim_token.map(claim_token::dispatched_at)),
        ];
        let mut tell = TaskSnapshot::reader();
        let done = COMPLETE.row(&args, |row| {
            let told = tell(row).within(row.column("workspace_id"));
            (told, Composite::from_row(row))
        });
        let Some((told, completed)) = done else {
            let state = State::of(task)?;
            if state.is_final() {
                return Outcome::default().of(task);
            }
            state.check_token(task, claim_token)?;
            return Err(state.refuse(task, "completed", &["running"]));
        };
        let stamp = |issue: &Uuid| STAMP_ISSUE.run(&[arg(*issue), arg(now)]) > 0;
        let first_execution = wanted.issues.iter().any(stamp);
        transition::point_chat(&told, now);
        if told.is_turn() {
            call.turn_done(&told);
        }
        for agent in consequences::reconcile(&wanted.agents, now) {
            call.agent_status(agent);
        }
        call.task_completed(&told);
        for run in wanted.runs {
            if COMPLETE_RUN.run(&[arg(run), arg(now), arg(result)]) > 0 {
                consequences::settle_quota(&[run], "consumed", now);
                call.run_done(run);
            }
        }
        if first_execution {
            let outcome = Outcome { applied: true, first_execution, ..Outcome::default() };
            return outcome.of(task);
        }
        Ok(completed)
    })
}
