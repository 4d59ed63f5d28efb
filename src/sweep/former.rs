//! Functions with the arguments that they had in earlier versions. SQL objects of these versions call them until they
//! are updated.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::stages::recover_orphans;
use crate::lifecycle::event::call;
use crate::postgres::composite::Composite;
use crate::types::Recovered;

/// multica_recover_orphans before 0.4.0, without an incarnation.
#[pg_extern(sql = false)]
fn multica_recover_orphans(
    runtime_id: Option<Uuid>,
    running_task_ids: Option<Vec<Option<Uuid>>>,
) -> Composite<Recovered> {
    call(|call| recover_orphans(runtime_id, running_task_ids, None, call))
}
