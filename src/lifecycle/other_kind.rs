//! An id of a runtime and an id of an agent look alike, and are mistaken for each other.

use pgrx::Uuid;

use crate::error::Error;
use crate::postgres::statement::{Statement, arg};

static IS_AGENT: Statement = Statement::volatile(sql!("task/agent_exists.sql"));
static IS_RUNTIME: Statement = Statement::volatile(sql!("runtime/workspace_of.sql"));

/// The error that a runtime does not exist; its detail says so if the id is that of an agent.
pub fn no_runtime(error: Error, id: Uuid) -> Error {
    said(error, &IS_AGENT, id, "This is the id of an agent.")
}

/// The error that an agent does not exist; its detail says so if the id is that of a runtime.
pub fn no_agent(error: Error, id: Uuid) -> Error {
    said(error, &IS_RUNTIME, id, "This is the id of a runtime.")
}

fn said(error: Error, is_other: &Statement, id: Uuid, what_it_is: &'static str) -> Error {
    match error {
        Error::NotFound { what, id: asked, place, .. } if is_other.row(&[arg(id)], |_| ()).is_some() => {
            Error::NotFound { what, id: asked, place, detail: what_it_is }
        }
        other => other,
    }
}
