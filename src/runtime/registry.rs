//! What is registered: lists, lookups, and the upsert of one runtime.

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::{elements, excerpt, fits_key, key, not_blank, one_of, required};
use crate::error::{Error, Result};
use crate::lifecycle::event::call;
use crate::lifecycle::lock_set;
use crate::lifecycle::other_kind::no_runtime;
use crate::postgres::composite::{Composite, set};
use crate::postgres::entry::entry;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::types::{Registered, Runtime};

/// The status words of a runtime.
pub const STATUSES: [&str; 2] = ["online", "offline"];
const MODES: [&str; 2] = ["local", "cloud"];

static LIST: Statement = Statement::stable(sql!("runtime/list.sql")).of_visible_rows();
static LIST_BY_OWNER: Statement = Statement::stable(sql!("runtime/list_by_owner.sql")).of_visible_rows();
static GET: Statement = Statement::stable(sql!("runtime/get.sql")).of_visible_rows();
static GET_FOR_WORKSPACE: Statement = Statement::stable(sql!("runtime/get_for_workspace.sql")).of_visible_rows();
static FIND_LEGACY: Statement = Statement::stable(sql!("runtime/find_legacy.sql"));
static UPSERT: Statement = Statement::volatile(sql!("runtime/upsert.sql"));
static COUNT_ACTIVE_AGENTS: Statement = Statement::volatile(sql!("runtime/count_active_agents.sql"));

extension_sql_file!(
    "../../sql/extension/comments/registry.sql",
    name = "registry_comments",
    requires = [
        multica_list_runtimes,
        multica_list_runtimes_by_owner,
        multica_get_runtime,
        multica_get_runtime_for_workspace,
        multica_find_legacy_runtimes,
        multica_count_active_agents,
        multica_upsert_runtime
    ]
);

/// The runtimes of a workspace, oldest first (ListAgentRuntimes).
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_list_runtimes(workspace_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Runtime>> {
    entry(|| {
        let workspace = required("workspace_id", workspace_id)?;
        Ok(set(LIST.rows(&[arg(workspace)], Composite::from_row)))
    })
}

/// The runtimes of a workspace that belong to a user, oldest first (ListAgentRuntimesByOwner).
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

/// One runtime; no row when it does not exist (GetAgentRuntime).
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_get_runtime(runtime_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Runtime>> {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        Ok(set(GET.rows(&[arg(runtime)], Composite::from_row)))
    })
}

/// One runtime of a workspace; no row when it is not there (GetAgentRuntimeForWorkspace).
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

/// Every runtime of a workspace and provider whose daemon id is the given one but for case
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

/// How many agents that are not archived are bound to a runtime (CountActiveAgentsByRuntime).
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_count_active_agents(runtime_id: Option<Uuid>) -> i64 {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        workspace_of(runtime)?;
        Ok(count_active_agents(runtime))
    })
}

/// How many agents that are not archived are bound to a runtime, as of now and not of the caller's snapshot.
pub fn count_active_agents(runtime: Uuid) -> i64 {
    COUNT_ACTIVE_AGENTS.row(&[arg(runtime)], |row| row.must(1)).unwrap_or_default()
}

/// Fails with P0002 where the runtime does not exist; otherwise returns its workspace.
pub fn workspace_of(runtime: Uuid) -> Result<Uuid> {
    static WORKSPACE: Statement = Statement::volatile(sql!("runtime/workspace_of.sql")).of_visible_rows();
    WORKSPACE
        .row(&[arg(runtime)], |row| row.must(1))
        .ok_or_else(|| no_runtime(Error::not_found("runtime", runtime), runtime))
}

/// One machine's runtimes to insert or overwrite; arrays run in step, one element a runtime.
pub struct Upsert {
    /// Workspace they belong to.
    pub workspace: Uuid,
    /// Identity of the machine; None only in the cloud.
    pub daemon_id: Option<String>,
    /// 'local' or 'cloud'.
    pub mode: String,
    /// Display names.
    pub names: Vec<String>,
    /// Providers, each at most once.
    pub providers: Vec<String>,
    /// 'online' or 'offline'.
    pub statuses: Vec<String>,
    /// Descriptions of the device.
    pub device_infos: Vec<String>,
    /// Metadata objects.
    pub metadata: Vec<Jsonb>,
    /// User who owns them; None keeps the owner there is.
    pub owner: Option<Uuid>,
}

impl Upsert {
    /// Writes them and decodes each row; columns as multica_registered.
    pub fn write<R>(
        self,
        now: TimestampWithTimeZone,
        decode: impl FnMut(&crate::postgres::statement::Row) -> R,
    ) -> Vec<R> {
        UPSERT.rows(
            &[
                arg(self.workspace),
                arg(self.daemon_id),
                arg(self.mode),
                arg(self.names),
                arg(self.providers),
                arg(self.statuses),
                arg(self.device_infos),
                arg(self.owner),
                arg(now),
                arg(self.metadata),
            ],
            decode,
        )
    }
}

/// A trigger can keep a row out of the table, or make another provider of it.
pub fn kept_out(provider: &str) -> Error {
    Error::kept_out(
        format!("the runtime of provider \"{}\" could not be written", excerpt(provider)),
        "A trigger on agent_runtime rejects the row, or changes its provider.",
    )
}

/// Inserts a runtime or overwrites the one with the same daemon id and provider; a NULL owner keeps the one there is
/// (UpsertAgentRuntime).
#[allow(clippy::too_many_arguments)]
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_upsert_runtime(
    workspace_id: Option<Uuid>,
    daemon_id: Option<String>,
    name: Option<String>,
    runtime_mode: Option<String>,
    provider: Option<String>,
    status: Option<String>,
    device_info: default!(Option<String>, "''"),
    metadata: default!(Option<Jsonb>, "'{}'"),
    owner_id: default!(Option<Uuid>, "NULL"),
) -> Composite<Registered> {
    call(|call| {
        let workspace = required("workspace_id", workspace_id)?;
        let name = required("name", name)?;
        let mode = required("runtime_mode", runtime_mode)?;
        let provider = required("provider", provider)?;
        let status = required("status", status)?;
        let device_info = required("device_info", device_info)?;
        let metadata = required("metadata", metadata)?;
        one_of("runtime_mode", &mode, &MODES)?;
        one_of("status", &status, &STATUSES)?;
        key("provider", &provider)?;
        let daemon = daemon_id.as_deref();
        if mode != "cloud" {
            not_blank("daemon_id", required("daemon_id", daemon)?)?;
        }
        fits_key("daemon_id", daemon.unwrap_or_default())?;
        lock_set::workspace_for_key_share(workspace)?;
        let upsert = Upsert {
            workspace,
            daemon_id,
            mode,
            names: vec![name],
            providers: vec![provider.clone()],
            statuses: vec![status],
            device_infos: vec![device_info],
            metadata: vec![metadata],
            owner: owner_id,
        };
        let now = call.now();
        let (registered, id) = upsert
            .write(now, |row| (Composite::from_row(row), row.must::<Uuid>(1)))
            .pop()
            .ok_or_else(|| kept_out(&provider))?;
        call.runtimes("register", [(workspace, id)]);
        Ok(registered)
    })
}

/// Ids of an array argument, sorted and each once.
pub fn distinct_ids(argument: &'static str, ids: Option<Vec<Option<Uuid>>>) -> Result<Vec<Uuid>> {
    let mut ids = elements(argument, ids)?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
