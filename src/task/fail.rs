//! A run that its daemon reports as failed.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::transition::{self, Outcome, State};
use crate::argument::required;
use crate::clock;
use crate::entry::entry;
use crate::event::{Events, Told};
use crate::failure;
use crate::kind::Transition;
use crate::row::Composite;
use crate::spi::{Statement, arg};

static FAIL: Statement = Statement::write(include_str!("../../sql/task/fail.sql")).by_id();

/// In flight to failed, and the failure pipeline like every other failure: a retry if the reason allows one, else the
/// issue back to todo when nothing else is active. A task that is over already is answered as it is.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_fail(
    task_id: Option<Uuid>,
    error: Option<String>,
    failure_reason: default!(Option<String>, "NULL"),
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
) -> Composite<Transition> {
    entry(|| {
        let task = required("task_id", task_id)?;
        let error = required("error", error)?;
        let Some(state) = State::open(task, claim_token)? else {
            return Outcome::default().of(task);
        };
        let now = clock::now();
        let args = [
            arg(task),
            arg(now),
            arg(error),
            arg(failure_reason),
            arg(session_id),
            arg(work_dir),
        ];
        let failed = Told::read(&FAIL, &args);
        let Some(told) = failed.first() else {
            return Err(state.refuse(task, "failed", &["dispatched", "running"]));
        };
        transition::point_chat(told, now);
        let mut events = Events::default();
        let done = failure::follow(&failed, |_| true, now, &mut events);
        events.record(now);
        Outcome {
            applied: true,
            retry: done.retries.first().copied(),
            ..Outcome::default()
        }
        .of(task)
    })
}
