//! Decides which errors concern single rows, so that a call may pass over these rows, and describes errors.

use std::ffi::{CStr, c_int};

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::prelude::*;

use crate::error::Error;
use crate::postgres::entry::{Caught, catch};

/// Why a row could not be written: the error of a trigger, constraint or privilege of the user's own.
pub struct Refusal {
    /// The message and the SQLSTATE of the error, with detail and hint if it has them.
    pub text: String,
}

/// Returns the refusal if the error concerns a single row. Any other error is returned unchanged, because no row caused
/// it: the server failed, the call was cancelled, or the transaction must be repeated.
pub fn of(caught: Caught) -> Result<Refusal, Caught> {
    if is_lack_of_privilege(&caught) || !may_be_passed_over(&sqlstate(&caught)) {
        return Err(caught);
    }
    let text = describe(&caught);
    Ok(Refusal { text })
}

/// Returns the SQLSTATE of an error. It may be a code that Postgres does not define.
pub fn sqlstate(caught: &Caught) -> String {
    // SAFETY: the text is static memory of this process, and there is one thread.
    unsafe { CStr::from_ptr(pg_sys::unpack_sql_state(caught.fields().code())) }.to_string_lossy().into_owned()
}

/// Describes an error in one line: message and SQLSTATE, with detail and hint if it has them. A detail that shows a row is
/// left out, because a role that may read the description may not be allowed to read the row.
pub fn describe(caught: &Caught) -> String {
    let fields = caught.fields();
    let mut text = format!("{} (SQLSTATE {})", fields.message(), sqlstate(caught));
    let detail = fields.detail().filter(|_| !fields.shows_row());
    for (name, more) in [("DETAIL", detail), ("HINT", fields.hint())] {
        if let Some(more) = more {
            text.push_str(&format!(" {name}: {more}"));
        }
    }
    text
}

/// Whether the caller lacks a privilege for the statement itself, whatever the row is. Only such an error was given a
/// hint. An error of a policy, or of a privilege that is missing in a trigger, concerns the row.
fn is_lack_of_privilege(caught: &Caught) -> bool {
    let fields = caught.fields();
    sqlstate(caught) == "42501" && fields.is_of_privileges() && fields.hint().is_some()
}

/// The SQLSTATEs of a foreign key that prevents a deletion: NO ACTION and, with its own code since PostgreSQL 18,
/// RESTRICT.
const FOREIGN_KEYS: [&str; 2] = ["23503", "23001"];

/// Runs a deletion. If a user's foreign key prevents it, the error (55006) names the object that cannot be deleted and,
/// in its detail, the table that refers to it.
pub fn unless_referred_to<R>(what: impl Into<String>, delete: impl FnOnce() -> R) -> R {
    catch(delete).unwrap_or_else(|caught| {
        if !FOREIGN_KEYS.contains(&sqlstate(&caught).as_str()) {
            caught.rethrow()
        }
        Error::InUse {
            message: format!("{} cannot be deleted: other rows refer to it", what.into()),
            detail: describe(&caught),
            hint: "Delete these rows or make them refer to another row first, or declare the foreign key with ON DELETE CASCADE or SET NULL."
                .to_string(),
        }
        .raise()
    })
}

/// Whether a SQLSTATE concerns a single row: integrity constraints, privileges, errors that a trigger raises, a value
/// too large for an index, a lock timeout, and objects that depend on the row.
fn may_be_passed_over(state: &str) -> bool {
    const SINGLE: [&str; 5] = ["42501", "P0001", "54000", "55P03", "2BP01"];
    state.starts_with("23") || SINGLE.contains(&state) || is_user_defined(state)
}

/// A code that Postgres does not define can only come from a user's trigger, unless its class means that the server or
/// the transaction failed.
fn is_user_defined(state: &str) -> bool {
    const NEVER: [&str; 5] = ["57", "53", "58", "XX", "40"];
    let class = &state[..2];
    if NEVER.contains(&class) {
        return false;
    }
    let code = state.bytes().rev().fold(0, |code, byte| (code << 6) | (c_int::from(byte - b'0') & 63));
    PgSqlErrorCode::from(code) == PgSqlErrorCode::ERRCODE_INTERNAL_ERROR
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::*;

    #[pg_test]
    fn only_errors_of_single_rows_are_passed_over() {
        for state in
            ["23503", "23001", "23514", "23505", "42501", "P0001", "54000", "55P03", "2BP01", "MY001", "U0001", "99999"]
        {
            assert!(may_be_passed_over(state), "{state} is passed over");
        }
        for state in [
            "57014", "57P01", "57XYZ", "53100", "58030", "XX000", "XX001", "40001", "40P01", "22012", "42703", "42P01",
            "54001", "55000", "P0002", "25006",
        ] {
            assert!(!may_be_passed_over(state), "{state} is passed on");
        }
    }
}
