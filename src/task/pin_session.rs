//! Stores where an agent is to resume, while its task is still in flight, and for a cancelled task afterwards.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::run_end::{Extra, RunEnd};
use super::transition::State;
use crate::argument::required;
use crate::error::{Error, Result};
use crate::lifecycle::features::Feature;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::sign_of_life;
use crate::postgres::clock;
use crate::postgres::entry::entry;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};

static PIN: Statement = Statement::volatile(sql!("task/pin_session.sql")).of_visible_rows().by_id();
static LATE_PIN: Statement = Statement::volatile(sql!("task/late_pin.sql")).by_id();
static POINT_CHAT: Statement = Statement::volatile(sql!("task/point_chat_late.sql")).by_id();

/// Stores the session and the working directory of a task in flight. An empty argument keeps the stored value. Of a
/// cancelled task, only what is not stored yet is stored. Returns false if nothing was stored.
#[pg_extern(name = "multica_pin_session")]
#[search_path(@extschema@, pg_temp)]
fn multica_pin_session_since_0_4(
    task_id: Option<Uuid>,
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
    extra: default!(Option<Jsonb>, "NULL"),
) -> bool {
    entry(|| pin(task_id, &RunEnd { session_id, work_dir, extra: Extra::read(extra)? }, claim_token))
}

/// Stores where a run is, as `multica_pin_session`.
pub fn pin(task_id: Option<Uuid>, end: &RunEnd, claim_token: Option<i64>) -> Result<bool> {
    let task = required("task_id", task_id)?;
    if end.is_empty() {
        return Err(Error::invalid(
            "session_id",
            "must not be empty when work_dir and extra are empty",
            "Pass the session, the working directory, or both.",
        ));
    }
    let token = claim_token.map(claim_token::dispatched_at);
    let now = clock::now();
    let args = [arg(task)].into_iter().chain(end.args()).chain([arg(now), arg(token)]);
    if PIN.run(&args.collect::<Vec<_>>()) > 0 {
        sign_of_life::store_beside(task, now);
        return Ok(true);
    }
    let state = State::of(task)?;
    if state.is_final() {
        return if state.status == "cancelled" { pin_late(task, end, claim_token) } else { Ok(false) };
    }
    state.check_token(task, claim_token)?;
    Ok(false)
}

/// Stores where a cancelled run was. If this is its session, the chat points there, unless a newer turn has a session.
fn pin_late(task: Uuid, end: &RunEnd, claim_token: Option<i64>) -> Result<bool> {
    if !Feature::Fresh.is_present() {
        return Ok(false);
    }
    let LockSet { referred, chat_sessions, .. } = LockSet::of_run(task, false);
    LockSet { referred, chat_sessions, tasks: vec![task], ..LockSet::default() }.acquire()?;
    let token = claim_token.map(claim_token::dispatched_at);
    let args = [arg(task)].into_iter().chain(end.args()).chain([arg(token)]);
    let is_session: Option<bool> = LATE_PIN.row(&args.collect::<Vec<_>>(), |row| row.must(1));
    if is_session == Some(true) {
        POINT_CHAT.run(&[arg(task), arg(clock::now())]);
    }
    Ok(is_session.is_some())
}
