//! The calls that read runtimes.

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::{elements, required};
use crate::error::Result;
use crate::lifecycle::existence::workspace_of;
use crate::postgres::composite::{Composite, set};
use crate::postgres::entry::entry;
use crate::postgres::statement::{Statement, arg};
use crate::types::Runtime;

static LIST: Statement = Statement::stable(sql!("runtime/list.sql")).of_visible_rows();
static LIST_BY_OWNER: Statement = Statement::stable(sql!("runtime/list_by_owner.sql")).of_visible_rows();
static GET: Statement = Statement::stable(sql!("runtime/get.sql")).of_visible_rows();
static GET_FOR_WORKSPACE: Statement = Statement::stable(sql!("runtime/get_for_workspace.sql")).of_visible_rows();
/// The runtimes of a workspace and provider whose daemon id equals the given one if case is ignored.
pub static FIND_LEGACY: Statement = Statement::stable(sql!("runtime/find_legacy.sql"));
static COUNT_ACTIVE_AGENTS: Statement = Statement::volatile(sql!("runtime/count_active_agents.sql"));

extension_sql_file!(
    "../../sql/extension/comments/runtime_lookup.sql",
    name = "runtime_lookup_comments",
    requires = [
        multica_list_runtimes,
        multica_list_runtimes_by_owner,
        multica_get_runtime,
        multica_get_runtime_for_workspace,
        multica_find_legacy_runtimes,
        multica_count_active_agents
    ]
);

/// Returns the runtimes of a workspace, oldest first (ListAgentRuntimes).
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_list_runtimes(workspace_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Runtime>> {
    entry(|| {
        let workspace = required("workspace_id", workspace_id)?;
        Ok(set(LIST.rows(&[arg(workspace)], Composite::from_row)))
    })
}

/// Returns the runtimes of a workspace that belong to a user, oldest first (ListAgentRuntimesByOwner).
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_list_runtimes_by_owner(
    workspace_id: Option<Uuid>,
    owner_id: Option<Uuid>,
) -> SetOfIterator<'static, Composite<Runtime>> {
    entry(|| {
        let workspace = required("workspace_id", workspace_id)?;
        let owner = required("owner_id", owner_id)?;
        Ok(set(LIST_BY_OWNER.rows(&[arg(workspace), arg(owner)], Composite::from_row)))
    })
}

/// Returns one runtime; no row if it does not exist (GetAgentRuntime).
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_get_runtime(runtime_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Runtime>> {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        Ok(set(GET.rows(&[arg(runtime)], Composite::from_row)))
    })
}

/// Returns one runtime of a workspace; no row if it is not in this workspace (GetAgentRuntimeForWorkspace).
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_get_runtime_for_workspace(
    runtime_id: Option<Uuid>,
    workspace_id: Option<Uuid>,
) -> SetOfIterator<'static, Composite<Runtime>> {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        let workspace = required("workspace_id", workspace_id)?;
        Ok(set(GET_FOR_WORKSPACE.rows(&[arg(runtime), arg(workspace)], Composite::from_row)))
    })
}

/// Returns the runtimes of a workspace and provider whose daemon id equals the given one if case is ignored
/// (FindLegacyRuntimesByDaemonID).
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_find_legacy_runtimes(
    workspace_id: Option<Uuid>,
    provider: Option<&str>,
    daemon_id: Option<&str>,
) -> SetOfIterator<'static, Composite<Runtime>> {
    entry(|| {
        let workspace = required("workspace_id", workspace_id)?;
        let provider = required("provider", provider)?;
        let daemon = required("daemon_id", daemon_id)?;
        let args = [arg(workspace), arg(provider), arg(daemon)];
        Ok(set(FIND_LEGACY.rows(&args, Composite::from_row)))
    })
}

/// Returns how many agents that are not archived are bound to a runtime (CountActiveAgentsByRuntime).
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_count_active_agents(runtime_id: Option<Uuid>) -> i64 {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        workspace_of(runtime)?;
        Ok(COUNT_ACTIVE_AGENTS.row(&[arg(runtime)], |row| row.must(1)).unwrap_or_default())
    })
}

/// Returns the ids of an array argument, sorted and without duplicates.
pub fn distinct_ids(argument: &'static str, ids: Option<Vec<Option<Uuid>>>) -> Result<Vec<Uuid>> {
    let mut ids = elements(argument, ids)?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
