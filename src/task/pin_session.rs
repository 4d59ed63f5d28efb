//! Stores where an agent is to resume, while its task is still in flight.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::transition::State;
use crate::argument::required;
use crate::error::Error;
use crate::lifecycle::compatibility;
use crate::postgres::clock;
use crate::postgres::entry::entry;
use crate::postgres::statement::{Statement, arg};

static PIN: Statement = Statement::volatile(sql!("task/pin_session.sql")).of_visible_rows().by_id();

/// Stores the session and the working directory of a task in flight. An empty argument keeps the stored value. Returns
/// false if the task is no longer in flight.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_pin_session(
    task_id: Option<Uuid>,
    session_id: default!(Option<&str>, "NULL"),
    work_dir: default!(Option<&str>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
) -> bool {
    entry(|| {
        compatibility::require(&[compatibility::PINNING])?;
        let task = required("task_id", task_id)?;
        if session_id.unwrap_or_default().is_empty() && work_dir.unwrap_or_default().is_empty() {
            return Err(Error::invalid(
                "session_id",
                "must not be empty when work_dir is empty",
                "Pass the session, the working directory, or both.",
            ));
        }
        let args = [
            arg(task),
            arg(session_id),
            arg(work_dir),
            arg(clock::now()),
            arg(claim_token.map(claim_token::dispatched_at)),
        ];
        if PIN.run(&args) > 0 {
            return Ok(true);
        }
        let state = State::of(task)?;
        if !state.is_final() {
            state.check_token(task, claim_token)?;
        }
        Ok(false)
    })
}
