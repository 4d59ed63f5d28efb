//! The call by which a process goes on with a run that silence has failed: it takes over the retry.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::transition::State;
use crate::argument::required;
use crate::error::{Error, Result, Word};
use crate::lifecycle::claim_limits;
use crate::lifecycle::consequences;
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::liveness;
use crate::lifecycle::lock_set::{self, LockSet, Runtimes};
use crate::lifecycle::resumption::Link;
use crate::lifecycle::status_sets::IN_FLIGHT;
use crate::postgres::composite::Composite;
use crate::postgres::statement::{Row, Statement, arg};
use crate::types::Claimed;

static RESUMED: Statement = Statement::volatile(sql!("task/resumed.sql")).of_visible_rows().by_id();

extension_sql_file!("../../sql/extension/comments/resume.sql", name = "resume_comments", requires = [multica_resume]);

/// Returns the claim with which a process goes on with its run: that of the retry, if silence has failed the task and no
/// process has the retry yet. The retry is claimed and started for the process, and the failed task stays as it is. A
/// repeated call returns the same claim.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_resume(task_id: Option<Uuid>, claim_token: Option<i64>) -> Composite<Claimed> {
    call(|call| {
        let mut task = required("task_id", task_id)?;
        let mut token = required("claim_token", claim_token)?;
        // The process may have taken over the retry before, and silence may have failed the retry too.
        loop {
            let state = State::of(task)?;
            if !state.is_final() {
                state.check_token(task, Some(token))?;
                if IN_FLIGHT.contains(&state.status.as_str()) {
                    return claimed(task, token);
                }
                return Err(state.refuse(task, "resumed", &["failed"]));
            }
            let link = find(task, token)?;
            let link = if link.is_taken { link } else { take_over(link, call)? };
            let Some(claimed_at) = link.retry_claimed_at else { return Err(refused(task, "Its retry has no claim.")) };
            (task, token) = (link.retry, claim_token::of(claimed_at));
        }
    })
}

/// Returns the row of a task in flight, for the process whose claim has this token.
fn claimed(task: Uuid, token: i64) -> Result<Composite<Claimed>> {
    let read = |row: &Row| {
        let values = [
            ("workspace_id", arg(row.column::<Uuid>("workspace_id"))),
            ("prior_session_id", arg(row.column::<String>("prior_session_id"))),
            ("prior_work_dir", arg(row.column::<String>("prior_work_dir"))),
            ("claim_token", arg(token)),
        ];
        Composite::from_row_and(row, &values)
    };
    RESUMED.row(&[arg(task)], read).ok_or_else(|| Error::not_found("task", task))
}

/// Returns 55000, which tells the process to stop working on the task.
fn refused(task: Uuid, detail: &str) -> Error {
    Error::state(Word::Final, format!("task {task} cannot be resumed"), detail, "Stop working on the task.")
}

/// Returns a task that silence has failed, with a retry that its process has or can take over now. Returns 55000 if
/// there is no such retry, or if the token is not that of the task's last claim.
fn find(task: Uuid, token: i64) -> Result<Link> {
    let link = Link::of(task).filter(|link| claim_token::of(link.claimed_at) == token);
    let Some(link) = link else {
        return Err(refused(
            task,
            "It was not failed because of silence, it has no retry, or it was claimed again since.",
        ));
    };
    if link.is_taken {
        return Ok(link);
    }
    if !link.is_waiting {
        return Err(refused(task, "Its retry was claimed, or has ended."));
    }
    if let Some(hindrance) = link.hindrance {
        return Err(refused(task, hindrance.text()));
    }
    if link.is_not_executable {
        return Err(refused(task, "Its runtime is offline because it cannot run any task."));
    }
    if !link.has_room {
        return Err(refused(task, "Its agent has as many tasks in flight as it can have."));
    }
    link.check_process()?;
    Ok(link)
}

/// Takes over the retry. If the runtime needs a sign of life, the call is one, as a claim is. While it holds the runtime,
/// it waits for no other row.
fn take_over(found: Link, call: &mut Call) -> Result<Link> {
    let rows = || LockSet {
        chat_sessions: found.chat.into_iter().collect(),
        agents: vec![found.agent],
        tasks: vec![found.retry],
        ..LockSet::default()
    };
    let runtime = found.runtime;
    claim_limits::wait(runtime);
    if found.needs_sign_of_life {
        let wanted = || LockSet { runtimes: vec![runtime], strength: Runtimes::NoKeyUpdate, ..rows() };
        lock_set::acquire_with_runtimes_or_fail(&[runtime], wanted)?;
    } else {
        rows().acquire()?;
    }
    let mut link = find(found.failed, claim_token::of(found.claimed_at))?;
    if link.is_taken {
        return Ok(link);
    }
    if !claim_limits::allow_one_more(link.runtime)? {
        return Err(refused(
            link.failed,
            "A limit of its runtime, provider or workspace allows no more tasks in flight.",
        ));
    }
    // A merge may have moved the task meanwhile. The other runtime has just been registered.
    if found.needs_sign_of_life && link.runtime == runtime {
        liveness::mark_online(vec![runtime], call);
    }
    link.hold_process()?;
    let now = call.now();
    link.take_over(call)?;
    link.retry_claimed_at = Some(now);
    for agent in consequences::reconcile(&[link.agent], now) {
        call.agent_status(agent);
    }
    Ok(link)
}
