//! Functions with the arguments that they had in earlier versions. SQL objects of these versions call them until they
//! are updated.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim::claim_tasks;
use crate::lifecycle::event::call;
use crate::postgres::composite::Composite;
use crate::types::Claimed;

/// multica_claim before 0.4.0, without an incarnation.
#[pg_extern(sql = false)]
fn multica_claim(runtime_id: Option<Uuid>, max_tasks: Option<i32>) -> SetOfIterator<'static, Composite<Claimed>> {
    call(|call| claim_tasks(runtime_id, max_tasks, None, call))
}
