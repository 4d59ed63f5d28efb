//! Hints for the user about an error of a statement.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::CaughtError;

use super::hidden;
use crate::capability;
use crate::error::{Error, Word};
use crate::postgres::acting;
use crate::postgres::entry::{PRIVILEGES, add_hint, function_of_caller, is_raised_by};

/// Raises the error of a statement again. Missing tables, and a privilege that is missing for the statement itself, are
/// raised with a hint about what the user can do. The error that `hidden` provokes is replaced, and so is the error about
/// a privilege that is missing because the schema is open. All other errors, those of triggers included, pass unchanged.
pub fn explain(caught: CaughtError, statement: &str, parses: bool) -> ! {
    let CaughtError::PostgresError(ref error) = caught else { caught.rethrow() };
    if let Some(hidden) = hidden::error_of(error) {
        hidden.raise();
    }
    match error.sql_error_code() {
        // INVALID_COLUMN_REFERENCE: there is no unique index for an ON CONFLICT.
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
            let function = function_of_caller();
            if function.is_some()
                && is_raised_by(error, statement)
                && let Some(open) = acting::open_schema()
            {
                open.raise();
            }
            let hint = function.map_or_else(|| capability::HINT_FOR_OWNER.into(), capability::hint);
            add_hint(error, Some(statement), &hint);
            caught.rethrow()
        }
        _ => caught.rethrow(),
    }
}

/// Raises the error of a script again, with a hint if a name was not found.
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
