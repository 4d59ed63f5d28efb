//! Roles: the type of an argument that names a role, and work that is done as another role.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::impl_sql_translatable;
use pgrx::prelude::*;

/// A role of the cluster, `regrole` in SQL.
#[derive(Clone, Copy)]
pub struct Role(pub pg_sys::Oid);

impl_sql_translatable!(Role, "regrole");

// SAFETY: regrole is an OID, and the argument is read as an OID.
unsafe impl<'fcx> ArgAbi<'fcx> for Role {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        Self(unsafe { arg.unbox_arg_using_from_datum() }.expect("a NULL is an Option"))
    }
}

/// Runs `work` as another role, in the same way as the foreign-key checks of Postgres run. `work` must not run code
/// that the session's user can define. After an error, the end of the transaction or subtransaction restores the
/// caller's role.
pub fn as_role<R>(role: pg_sys::Oid, work: impl FnOnce() -> R) -> R {
    let mut caller = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: the pair is restored below; after an error, the abort restores it.
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
