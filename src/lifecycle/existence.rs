//! Whether a runtime or an agent exists. Their ids look alike, so that one may be passed where the other belongs; the
//! error says so.

use pgrx::Uuid;

use crate::error::{Error, Result};
use crate::postgres::statement::{Statement, arg};

/// One row if the agent exists.
pub static AGENT_EXISTS: Statement = Statement::stable(sql!("lifecycle/existence/agent_exists.sql")).of_visible_rows();
static WORKSPACE_OF_RUNTIME: Statement =
    Statement::volatile(sql!("lifecycle/existence/workspace_of_runtime.sql")).of_visible_rows();

/// The workspace of a runtime; P0002 where the runtime does not exist.
pub fn workspace_of(runtime: Uuid) -> Result<Uuid> {
    WORKSPACE_OF_RUNTIME
        .row(&[arg(runtime)], |row| row.must(1))
        .ok_or_else(|| no_runtime(Error::not_found("runtime", runtime), runtime))
}

/// The error that a runtime does not exist; its detail says so if the id is that of an agent.
pub fn no_runtime(error: Error, id: Uuid) -> Error {
    if AGENT_EXISTS.latest().row(&[arg(id)], |_| ()).is_some() {
        return with_detail(error, "This is the id of an agent.");
    }
    error
}

/// The error that an agent does not exist; its detail says so if the id is that of a runtime.
pub fn no_agent(error: Error, id: Uuid) -> Error {
    if WORKSPACE_OF_RUNTIME.row(&[arg(id)], |_| ()).is_some() {
        return with_detail(error, "This is the id of a runtime.");
    }
    error
}

fn with_detail(error: Error, detail: &'static str) -> Error {
    match error {
        Error::NotFound { what, id, place, .. } => Error::NotFound { what, id, place, detail },
        other => other,
    }
}
