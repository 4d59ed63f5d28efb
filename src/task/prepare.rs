//! What a daemon does with a task between its claim and its start: it waits for the directory, keeps the lease, or gives
//! the task back.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::transition::{Outcome, State, Transitioned};
use crate::argument::required;
use crate::lifecycle::compatibility::require_feature;
use crate::lifecycle::consequences;
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::features::Feature;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::status_sets::STARTABLE;
use crate::postgres::clock;
use crate::postgres::composite::Composite;
use crate::postgres::entry::entry;
use crate::postgres::statement::{Statement, arg};
use crate::settings;
use crate::types::Transition;

static WAIT: Statement = Statement::volatile(sql!("task/wait.sql")).by_id();
static EXTEND_LEASE: Statement = Statement::volatile(sql!("task/extend_lease.sql")).of_visible_rows().by_id();
static REQUEUE: Statement = Statement::volatile(sql!("task/requeue.sql")).by_id();

extension_sql_file!(
    "../../sql/extension/comments/prepare.sql",
    name = "prepare_comments",
    requires = [multica_wait, multica_extend_lease, multica_requeue]
);

/// Sets a dispatched task to wait for its directory, with a new lease. Its agent is idle meanwhile. A repeated call with
/// the current claim token changes nothing and returns `applied` = false.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_wait(
    task_id: Option<Uuid>,
    reason: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
) -> Composite<Transition> {
    call(|call| {
        let task = required("task_id", task_id)?;
        // The agent comes before the task in the order of locks.
        LockSet::of_agent(task).acquire()?;
        require_feature(Feature::Waiting)?;
        let reason = reason.filter(|reason| !reason.trim().is_empty() && !is_absolute_path(reason));
        let args = [
            arg(task),
            arg(call.now()),
            arg(claim_token.map(claim_token::dispatched_at)),
            arg(reason.clone()),
            arg(settings::prepare_lease_secs()),
        ];
        if let Some(waiting) = Transitioned::by(&WAIT, &args) {
            call.task_waits(&waiting.told, reason.as_deref());
            reconcile(&waiting, call);
            return Ok(waiting.row);
        }
        let state = State::of(task)?;
        if state.status == "waiting_local_directory" && claim_token.is_some() && state.token == claim_token {
            return Outcome::default().of(task);
        }
        if state.status == "dispatched" {
            state.check_token(task, claim_token)?;
        }
        Err(state.refuse(task, "set to wait", &["dispatched"]))
    })
}

/// Extends the lease of a claimed task that has not started. 55000 means that the daemon must give the task up.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_extend_lease(task_id: Option<Uuid>, claim_token: default!(Option<i64>, "NULL")) -> Composite<Transition> {
    entry(|| {
        let task = required("task_id", task_id)?;
        let token = claim_token.map(claim_token::dispatched_at);
        let args = [arg(task), arg(clock::now()), arg(token), arg(settings::prepare_lease_secs())];
        let applied = Outcome::APPLIED.values();
        if let Some(extended) = EXTEND_LEASE.row(&args, |row| Composite::from_row_and(row, &applied)) {
            return Ok(extended);
        }
        let state = State::of(task)?;
        require_feature(Feature::Lease)?;
        if STARTABLE.contains(&state.status.as_str()) {
            state.check_token(task, claim_token)?;
        }
        Err(state.refuse(task, "leased", &STARTABLE))
    })
}

/// Gives a claimed task back, for a claim whose answer could not be passed on: the task is queued again, with the same
/// attempt. A task that is queued is returned as it is.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_requeue(task_id: Option<Uuid>, claim_token: default!(Option<i64>, "NULL")) -> Composite<Transition> {
    call(|call| {
        let task = required("task_id", task_id)?;
        LockSet::of_agent(task).acquire()?;
        let args = [arg(task), arg(claim_token.map(claim_token::dispatched_at))];
        if let Some(queued) = Transitioned::by(&REQUEUE, &args) {
            call.task_queued(&queued.told);
            reconcile(&queued, call);
            return Ok(queued.row);
        }
        let state = State::of(task)?;
        match state.status.as_str() {
            "queued" => return Outcome::default().of(task),
            "dispatched" => state.check_token(task, claim_token)?,
            _ => {}
        }
        Err(state.refuse(task, "queued again", &["dispatched"]))
    })
}

/// Reconciles the agent of a task, whose lock the caller holds.
fn reconcile(task: &Transitioned, call: &mut Call) {
    for agent in consequences::reconcile(&consequences::agents_of(std::slice::from_ref(&task.told)), call.now()) {
        call.agent_status(agent);
    }
}

/// Whether a text is the path of a file or directory. Older daemons pass one as the reason why a task waits, and it must
/// not be shown to everybody.
fn is_absolute_path(text: &str) -> bool {
    let text = text.trim_start();
    let has_drive = matches!(text.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    text.starts_with('/') || text.starts_with('\\') || has_drive
}
