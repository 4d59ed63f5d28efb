//! Functions with the arguments that they had in earlier versions. SQL objects of these versions call them until they
//! are updated.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::delete::delete_runtime;
use super::liveness::{deregister, heartbeat, set_one_offline};
use super::upsert::{Arguments, upsert};
use crate::lifecycle::event::call;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::types::{Beat, Registered, RuntimeDeleted};

/// multica_upsert_runtime before 0.4.0, without a profile.
#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn multica_upsert_runtime(
    workspace_id: Option<Uuid>,
    daemon_id: Option<String>,
    name: Option<String>,
    runtime_mode: Option<String>,
    provider: Option<String>,
    status: Option<String>,
    device_info: Option<String>,
    metadata: Option<Jsonb>,
    owner_id: Option<Uuid>,
) -> Composite<Registered> {
    call(|call| {
        let profile_id = None;
        let given = Arguments {
            workspace_id,
            daemon_id,
            name,
            runtime_mode,
            provider,
            status,
            device_info,
            metadata,
            owner_id,
            profile_id,
        };
        upsert(given, call)
    })
}

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

/// multica_heartbeat before 0.4.0, without an incarnation.
#[pg_extern(sql = false)]
fn multica_heartbeat(runtime_id: Option<Uuid>, running_task_ids: Option<Vec<Option<Uuid>>>) -> Composite<Beat> {
    call(|call| heartbeat(runtime_id, running_task_ids, None, call))
}

/// multica_delete_runtime before 0.4.0, without a confirmation and another runtime.
#[pg_extern(sql = false)]
fn multica_delete_runtime(runtime_id: Option<Uuid>) -> Composite<RuntimeDeleted> {
    call(|call| delete_runtime(runtime_id, None, None, call))
}
