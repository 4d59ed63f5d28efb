//! Checks whether a runtime or an agent exists. Both have ids of the same form, so that a caller may confuse them; the
//! detail of the error reports this.

use pgrx::Uuid;

use crate::error::{Error, Result};
use crate::postgres::statement::{Statement, arg};

/// Returns one row if the agent exists.
pub static AGENT_EXISTS: Statement = Statement::stable(sql!("lifecycle/existence/agent_exists.sql")).of_visible_rows();
static WORKSPACE_OF_RUNTIME: Statement =
    Statement::volatile(sql!("lifecycle/existence/workspace_of_runtime.sql")).of_visible_rows();

/// Returns the workspace of a runtime, or P0002 if the runtime does not exist.
pub fn workspace_of(runtime: Uuid) -> Result<Uuid> {
    WORKSPACE_OF_RUNTIME
        .row(&[arg(runtime)], |row| row.must(1))
        .ok_or_else(|| no_runtime(Error::not_found("runtime", runtime), runtime))
}

/// Returns the error that a runtime does not exist. If the id is that of an agent, the detail reports this.
pub fn no_runtime(error: Error, id: Uuid) -> Error {
    if AGENT_EXISTS.latest().row(&[arg(id)], |_| ()).is_some() {
        return with_detail(error, "This is the id of an agent.");
    }
    error
}

/// Returns the error that an agent does not exist. If the id is that of a runtime, the detail reports this.
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
