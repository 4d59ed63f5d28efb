//! A NOTICE for a role that sets `multica.sweep` where it has no effect. The worker reads only what `ALTER DATABASE`
//! has set.

use std::ffi::{c_int, c_void};

use pgrx::pg_sys::GucSource::*;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::Sweep;

/// The check hook of `multica.sweep`. It refuses no value.
#[pg_guard]
pub unsafe extern "C-unwind" fn check(
    value: *mut c_int,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: Postgres passes the new value.
    let is_on = unsafe { *value } == Sweep::On as c_int;
    match source {
        // SAFETY: a variable of this process, which only this thread writes.
        PGC_S_CLIENT | PGC_S_SESSION if unsafe { pg_sys::ParallelWorkerNumber } < 0 => say(PgLogLevel::NOTICE),
        PGC_S_TEST | PGC_S_FILE if command_is_for_another_scope() => say(PgLogLevel::NOTICE),
        // Every process reads the configuration file, but one line in the log is enough.
        // SAFETY: a variable of this process, which only this thread writes.
        PGC_S_FILE | PGC_S_ARGV if is_on && unsafe { !pg_sys::IsUnderPostmaster } => say(PgLogLevel::LOG),
        _ => (),
    }
    true
}

/// Whether the command that the client sent sets something for a role or for the whole server. A command inside a
/// function or a DO block is not recognised.
fn command_is_for_another_scope() -> bool {
    // SAFETY: the active portal is null or alive while its statement runs.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if portal.is_null() || (*portal).stmts.is_null() || (*(*portal).stmts).length != 1 {
            return false;
        }
        // SAFETY: a portal's statements are planned ones, of which a utility command has its own node.
        let statement = pg_sys::list_nth((*portal).stmts, 0).cast::<pg_sys::PlannedStmt>();
        let utility = (*statement).utilityStmt;
        !utility.is_null()
            && matches!((*utility).type_, pg_sys::NodeTag::T_AlterRoleSetStmt | pg_sys::NodeTag::T_AlterSystemStmt)
    }
}

fn say(level: PgLogLevel) {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        "multica.sweep has an effect only if it is set for a database",
        "multica",
    )
    .set_hint("Use ALTER DATABASE name SET multica.sweep = on.")
    .report(level);
}
