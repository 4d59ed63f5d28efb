//! Functions with the arguments that they had in earlier versions. SQL objects of these versions call them until they
//! are updated.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::liveness::{deregister, set_one_offline};
use crate::lifecycle::event::call;

/// multica_set_runtime_offline before 0.4.0, without a reason.
#[pg_extern(sql = false)]
fn multica_set_runtime_offline(runtime_id: Option<Uuid>) -> bool {
    call(|call| set_one_offline(runtime_id, None, call))
}

/// multica_deregister before 0.4.0, without a reason.
#[pg_extern(sql = false)]
fn multica_deregister(runtime_ids: Option<Vec<Option<Uuid>>>) -> i64 {
    call(|call| deregister(runtime_ids, None, call))
}
