//! A transaction of a background worker that survives its errors.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::prelude::*;

use super::foreign;
use crate::entry::{self, Caught};

/// An error that aborted a transaction.
pub struct Failure {
    /// Its SQLSTATE, as Postgres knows it.
    pub code: PgSqlErrorCode,
    /// Its message with the SQLSTATE, and its detail and hint where it has them.
    pub text: String,
}

/// Runs `body` in a transaction of its own and commits; an error, the commit's included, aborts the whole
/// transaction, which is why it may be caught here.
pub fn run<R>(activity: &str, body: impl FnOnce() -> R) -> Result<R, Failure> {
    run_as(None, activity, body)
}

/// As [`run`]; with an `owner`, no statement and no trigger of the transaction has another user.
pub fn run_as<R>(
    owner: Option<pg_sys::Oid>,
    activity: &str,
    body: impl FnOnce() -> R,
) -> Result<R, Failure> {
    let activity = std::ffi::CString::new(activity).expect("activities hold no NUL byte");
    let outcome = entry::catch(|| unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        let former = owner.map(foreign::become_owner);
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, activity.as_ptr());
        let result = body();
        pg_sys::PopActiveSnapshot();
        pg_sys::CommitTransactionCommand();
        if let Some(former) = former {
            foreign::back_to(former);
        }
        result
    })
    .map_err(|caught| {
        unsafe { pg_sys::AbortCurrentTransaction() };
        describe(&caught)
    });
    unsafe {
        pg_sys::pgstat_report_stat(true);
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
    }
    outcome
}

fn describe(caught: &Caught) -> Failure {
    let fields = caught.fields();
    let mut text = format!(
        "{} (SQLSTATE {})",
        fields.message(),
        sqlstate(fields.code())
    );
    for (name, more) in [("DETAIL", fields.detail()), ("HINT", fields.hint())] {
        if let Some(more) = more {
            text.push_str(&format!(" {name}: {more}"));
        }
    }
    let code = fields.code().into();
    Failure { code, text }
}

fn sqlstate(code: i32) -> String {
    // SAFETY: the text is static memory of this process, and there is one thread.
    unsafe { std::ffi::CStr::from_ptr(pg_sys::unpack_sql_state(code)) }
        .to_string_lossy()
        .into_owned()
}
