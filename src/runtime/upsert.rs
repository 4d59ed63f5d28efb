//! The insert or overwrite of runtimes, and the call that does it for one.

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::{excerpt, fits_key, key, not_blank, one_of, required};
use crate::error::Error;
use crate::lifecycle::event::call;
use crate::lifecycle::lock_set;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Row, Statement, arg};
use crate::types::Registered;

/// The status words of a runtime.
pub const STATUSES: [&str; 2] = ["online", "offline"];
const MODES: [&str; 2] = ["local", "cloud"];

static UPSERT: Statement = Statement::volatile(sql!("runtime/upsert.sql"));

extension_sql_file!(
    "../../sql/extension/comments/upsert.sql",
    name = "upsert_comments",
    requires = [multica_upsert_runtime]
);

/// The runtimes of one daemon to insert or overwrite. Each array has one element per runtime, in the same order.
pub struct Upsert {
    /// Workspace of the runtimes.
    pub workspace: Uuid,
    /// Identity of the daemon; None only for cloud runtimes.
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
    /// User who owns the runtimes; None keeps the present owner.
    pub owner: Option<Uuid>,
}

impl Upsert {
    /// Writes the runtimes and decodes each row, which has the columns of multica_registered.
    pub fn write<R>(self, now: TimestampWithTimeZone, decode: impl FnMut(&Row) -> R) -> Vec<R> {
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

/// Returns the error for a row that a trigger kept out of the table, or whose provider a trigger changed.
pub fn not_written(provider: &str) -> Error {
    Error::kept_out(
        format!("the runtime for provider \"{}\" was not written", excerpt(provider)),
        "A trigger on agent_runtime returned NULL for the row, or changed its provider.",
    )
}

/// Inserts a runtime or overwrites the one with the same daemon id and provider; a NULL owner keeps the present owner
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
            .ok_or_else(|| not_written(&provider))?;
        call.runtimes("register", [(workspace, id)]);
        Ok(registered)
    })
}
