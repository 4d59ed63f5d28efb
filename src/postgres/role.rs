//! Roles: as an argument, where SQL takes its name, and as whom something is done.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::impl_sql_translatable;
use pgrx::prelude::*;

/// A role of the cluster, `regrole` in SQL.
#[derive(Clone, Copy)]
pub struct Role(pub pg_sys::Oid);

impl_sql_translatable!(Role, "regrole");

// SAFETY: regrole is an OID, as which the argument is read.
unsafe impl<'fcx> ArgAbi<'fcx> for Role {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        Self(unsafe { arg.unbox_arg_using_from_datum() }.expect("a NULL is an Option"))
    }
}

/// Runs `work` as another role, as foreign keys read the tables they point to: nothing of the session's own is to run
/// in it. An error brings the caller's role back with the end of its transaction or subtransaction.
pub fn as_role<R>(role: pg_sys::Oid, work: impl FnOnce() -> R) -> R {
    let mut caller = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: the pair is set back as it was, and an abort does so by itself.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut caller, &mut context);
        let inside = context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        pg_sys::SetUserIdAndSecContext(role, inside);
    }
    let result = work();
    // SAFETY: the pair that was read above.
    unsafe { pg_sys::SetUserIdAndSecContext(caller, context) };
    result
}
