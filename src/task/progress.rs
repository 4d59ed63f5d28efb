//! A sign of life of a task that runs, with its progress.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use super::transition::{Outcome, State};
use crate::argument::required;
use crate::error::{Error, Result};
use crate::lifecycle::event::{TaskSnapshot, call};
use crate::lifecycle::sign_of_life;
use crate::postgres::clock;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::types::Transition;

static GIVE_SIGN: Statement = Statement::volatile(sql!("task/give_sign.sql")).of_visible_rows().by_id();

extension_sql_file!(
    "../../sql/extension/comments/progress.sql",
    name = "progress_comments",
    requires = [multica_progress]
);

/// The longest progress, in bytes of its text. Each recorded one is in an event, and every reader gets it.
const MOST_BYTES: usize = 8192;

/// Records a sign of life of a running task. If there is a progress that differs from the last one, its event is
/// recorded, at most once per `multica.progress_interval`. Only the task is locked, so that calls of one agent's tasks do
/// not wait for each other.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_progress(
    task_id: Option<Uuid>,
    claim_token: default!(Option<i64>, "NULL"),
    progress: default!(Option<Jsonb>, "NULL"),
) -> Composite<Transition> {
    call(|call| {
        let task = required("task_id", task_id)?;
        let text = progress.map(|given| given.text());
        if let Some(text) = &text {
            check(text)?;
        }
        let args = [arg(task), arg(clock::now()), arg(claim_token.map(claim_token::dispatched_at))];
        let mut tell = TaskSnapshot::reader();
        let applied = Outcome::APPLIED.values();
        let signed = GIVE_SIGN.row(&args, |row| (tell(row), Composite::from_row_and(row, &applied)));
        let Some((told, running)) = signed else {
            let state = State::of(task)?;
            if !state.is_final() {
                state.check_token(task, claim_token)?;
            }
            return Err(state.refuse(task, "kept alive", &["running"]));
        };
        // The call may have waited for the task, and then another one has recorded its progress in between.
        let now = call.now();
        let due = progress.filter(|given| sign_of_life::is_due(task, *given, now));
        sign_of_life::store(task, due, now);
        if let (Some(_), Some(text)) = (due, text) {
            call.task_progress(&told.with_workspace(), &text);
        }
        Ok(running)
    })
}

/// Returns 22023 if the text of the progress is no object, or too long.
fn check(text: &str) -> Result<()> {
    if !text.starts_with('{') {
        return Err(Error::invalid(
            "progress",
            "must be a JSON object",
            "Pass an object like {\"step\": 3, \"of\": 7}, or NULL for a sign of life alone.",
        ));
    }
    if text.len() > MOST_BYTES {
        return Err(Error::invalid(
            "progress",
            format!("must have at most {MOST_BYTES} bytes of text, but has {}", text.len()),
            "Pass a summary, and store the rest with the task's result or in a table of your own.",
        ));
    }
    Ok(())
}
