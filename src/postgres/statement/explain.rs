//! What a user can do about an error that a statement met.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::CaughtError;

use super::hidden;
use crate::capability;
use crate::error::{Error, Word};
use crate::postgres::entry::{PRIVILEGES, add_hint, function_of_caller};

/// Adds what a user can do about two errors of Postgres that have a remedy here: missing tables, and a privilege that
/// the statement itself lacks. All others pass unchanged, those that a trigger raises included.
pub fn explain(caught: CaughtError, statement: &str, parses: bool) -> ! {
    let CaughtError::PostgresError(ref error) = caught else { caught.rethrow() };
    if let Some(hidden) = hidden::error_of(error) {
        hidden.raise();
    }
    match error.sql_error_code() {
        // The last one: no index that an ON CONFLICT could mean.
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE
        | PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN
        | PgSqlErrorCode::ERRCODE_INVALID_COLUMN_REFERENCE
            if parses && error.hint().is_none() =>
        {
            Error::state(
                Word::InstallNeeded,
                "the tables of multica are missing or too old",
                error.message(),
                "Run SELECT * FROM multica_install();",
            )
            .raise()
        }
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
            if error.hint().is_none() && error.file().ends_with(PRIVILEGES) =>
        {
            let hint = function_of_caller().map_or_else(|| capability::HINT_FOR_OWNER.into(), capability::hint);
            add_hint(error, Some(statement), &hint);
            caught.rethrow()
        }
        _ => caught.rethrow(),
    }
}

/// Adds a hint to an error of a name that is not found; all others pass unchanged.
pub fn name_not_found(caught: CaughtError, hint: Option<&str>) -> ! {
    let CaughtError::PostgresError(ref error) = caught else { caught.rethrow() };
    let is_name = matches!(
        error.sql_error_code(),
        PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION
            | PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE
            | PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT
            | PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME
    );
    let Some(hint) = hint.filter(|_| is_name) else { caught.rethrow() };
    let hints: Vec<&str> = error.hint().into_iter().chain([hint]).collect();
    add_hint(error, None, &hints.join(" "));
    caught.rethrow()
}
