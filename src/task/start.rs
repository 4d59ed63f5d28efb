//! The start of a task by its daemon.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::transition::{Outcome, State};
use crate::argument::required;
use crate::lifecycle::compatibility;
use crate::postgres::clock;
use crate::postgres::composite::Composite;
use crate::postgres::entry::entry;
use crate::postgres::statement::{Statement, arg};
use crate::types::Transition;

static START: Statement = Statement::volatile(sql!("task/start.sql")).of_visible_rows().by_id();

/// Sets a dispatched task to running. A daemon must not run a task that was failed or cancelled in the meantime, so
/// that is 55000. A repeated call with the current claim token changes nothing and returns `applied` = false.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_start(task_id: Option<Uuid>, claim_token: default!(Option<i64>, "NULL")) -> Composite<Transition> {
    entry(|| {
        compatibility::require(&[compatibility::STARTING])?;
        let task = required("task_id", task_id)?;
        let args = [arg(task), arg(clock::now()), arg(claim_token.map(claim_token::dispatched_at))];
        if let Some(started) = START.row(&args, Composite::from_row) {
            return Ok(started);
        }
        let state = State::of(task)?;
        if state.status == "running" && claim_token.is_some() && state.token == claim_token {
            return Outcome::default().of(task);
        }
        if state.status == "dispatched" {
            state.check_token(task, claim_token)?;
        }
        Err(state.refuse(task, "started", &["dispatched"]))
    })
}
