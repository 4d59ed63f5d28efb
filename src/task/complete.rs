//! A run that came to its end.

use pgrx::Uuid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::json;

use super::transition::{Outcome, State};
use crate::argument::required;
use crate::clock;
use crate::event::Events;
use crate::failure;
use crate::json::Jsonb;
use crate::kind::Transition;
use crate::row::Composite;
use crate::spi::{Statement, arg};

static COMPLETE: Statement = Statement::write(include_str!("../../sql/task/complete.sql"));
static POINT_CHAT: Statement = Statement::write(include_str!("../../sql/task/point_chat.sql"));
static FIRST_EXECUTION: Statement =
    Statement::write(include_str!("../../sql/task/first_execution.sql"));

/// The chat of a task remembers where the turn ended.
pub fn point_chat(task: Uuid, now: TimestampWithTimeZone) {
    POINT_CHAT.run(&[arg(task), arg(now)]);
}

/// Running to completed, with what follows: the chat's pointer, the autopilot run, the first execution, the
/// agent's status, the events. A task that is over already is answered as it is, so that a repeated call is harmless.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_complete(
    task_id: Option<Uuid>,
    result: default!(Option<Jsonb>, "NULL"),
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
) -> Result<Composite<Transition>, ErrorReport> {
    let task = required("task_id", task_id)?;
    let Some(state) = State::open(task, claim_token)? else {
        return Ok(Outcome::default().of(task)?);
    };
    let now = clock::now();
    let args = [
        arg(task),
        arg(now),
        arg(result),
        arg(session_id),
        arg(work_dir),
    ];
    if COMPLETE.run(&args) == 0 {
        return Err(state.refuse(task, "completed", "running").into());
    }
    point_chat(task, now);
    let first_execution = FIRST_EXECUTION.run(&[arg(task), arg(now)]) > 0;
    let mut events = Events::default();
    if state.is_chat_turn {
        events.push("chat:done", task, json!({ "content": "" }));
    }
    failure::settle(&[task], "task:completed", now, &mut events);
    events.record(now);
    Ok(Outcome {
        applied: true,
        first_execution,
        ..Outcome::default()
    }
    .of(task)?)
}
