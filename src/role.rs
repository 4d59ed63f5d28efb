//! A role as an argument: SQL takes its name.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::impl_sql_translatable;
use pgrx::prelude::*;

/// A role of the cluster, `regrole` in SQL.
#[derive(Clone, Copy)]
pub struct Role(pub pg_sys::Oid);

impl_sql_translatable!(Role, "regrole");

unsafe impl<'fcx> ArgAbi<'fcx> for Role {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        Self(unsafe { arg.unbox_arg_using_from_datum() }.expect("a NULL is an Option"))
    }
}
