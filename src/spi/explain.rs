//! What a user can do about an error that a statement met.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::prelude::*;

/// Adds what a user can do about two errors of Postgres that have a remedy here; all others pass unchanged, those that a
/// trigger raises included.
pub fn explain(caught: CaughtError, parses: bool) -> ! {
    let CaughtError::PostgresError(ref error) = caught else {
        caught.rethrow()
    };
    let message = error.message().to_string();
    match error.sql_error_code() {
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE | PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN
            if parses && error.hint().is_none() =>
        {
            ErrorReport::new(
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the tables of multica are missing or too old",
                "multica",
            )
            .set_detail(message)
            .set_hint("Run SELECT * FROM multica_install();")
            .report(PgLogLevel::ERROR)
        }
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
            if error.hint().is_none() && message.starts_with("permission denied for ") =>
        {
            ErrorReport::new(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE, message, "multica")
                .set_hint("The owner of the extension or a superuser can grant what a role needs: SELECT multica_grant('the_role', 'daemon');")
                .report(PgLogLevel::ERROR)
        }
        _ => caught.rethrow(),
    }
    unreachable!("an error report does not return")
}
