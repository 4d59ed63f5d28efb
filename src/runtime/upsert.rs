//! The insert or overwrite of runtimes, and the call that does it for one.

use std::collections::HashMap;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::profile::Profiles;
use crate::argument::{excerpt, fits_key, key, not_blank, one_of, required};
use crate::error::{Error, Result};
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::lock_set;
use crate::lifecycle::runtime_return;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Arg, Row, Statement, arg};
use crate::types::Registered;

/// The status words of a runtime.
pub const STATUSES: [&str; 2] = ["online", "offline"];
const MODES: [&str; 2] = ["local", "cloud"];

static UPSERT: Statement = Statement::volatile(sql!("runtime/upsert.sql"));
static UPSERT_OF_PROFILES: Statement = Statement::volatile(sql!("runtime/upsert_of_profiles.sql"));

extension_sql_file!(
    "../../sql/extension/comments/upsert.sql",
    name = "upsert_comments",
    requires = [multica_upsert_runtime_since_0_4]
);

/// The daemon whose runtimes are inserted or overwritten.
pub struct Upsert {
    /// Workspace of the runtimes.
    pub workspace: Uuid,
    /// Identity of the daemon; None only for cloud runtimes.
    pub daemon_id: Option<String>,
    /// 'local' or 'cloud'.
    pub mode: String,
    /// User who owns the runtimes; None keeps the present owner.
    pub owner: Option<Uuid>,
    /// The moment of the call.
    pub now: TimestampWithTimeZone,
}

/// A runtime to insert or overwrite.
#[derive(Clone)]
pub struct NewRuntime {
    /// Profile to which it belongs.
    pub profile: Option<Uuid>,
    /// Provider; that of its profile if it has one.
    pub provider: String,
    /// Display name.
    pub name: String,
    /// 'online' or 'offline'.
    pub status: String,
    /// Description of the device.
    pub device_info: String,
    /// Metadata object.
    pub metadata: Jsonb,
}

/// What distinguishes the runtimes of one daemon. A runtime of a profile can have the same provider as another runtime.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Provider(String),
    Profile(Uuid),
}

impl NewRuntime {
    fn key(&self) -> Key {
        self.profile.map_or_else(|| Key::Provider(self.provider.clone()), Key::Profile)
    }

    /// Returns the error for a row that a trigger kept out of the table, or whose key a trigger changed.
    fn not_written(&self) -> Error {
        let of = match self.profile {
            Some(profile) => format!("profile {profile}"),
            None => format!("provider \"{}\"", excerpt(&self.provider)),
        };
        Error::kept_out(
            format!("the runtime for {of} was not written"),
            "A trigger on agent_runtime returned NULL for the row, or changed its provider or profile.",
        )
    }
}

impl Upsert {
    /// Writes the runtimes, each provider and each profile at most once, and decodes each row, which has the columns of
    /// multica_registered. Returns the results in the order of the runtimes, or 55000 if a row was not written.
    pub fn write<R>(&self, runtimes: &[NewRuntime], mut decode: impl FnMut(&Row) -> R) -> Result<Vec<R>> {
        let (of_profiles, built_in): (Vec<_>, Vec<_>) = runtimes.iter().partition(|it| it.profile.is_some());
        let mut written = HashMap::new();
        if !built_in.is_empty() {
            let rows = UPSERT.rows(&self.args(&built_in), |row| (row.column("provider"), decode(row)));
            let keyed = rows.into_iter().filter_map(|(provider, row)| Some((Key::Provider(provider?), row)));
            written.extend(keyed);
        }
        if !of_profiles.is_empty() {
            let mut args = self.args(&of_profiles);
            args.push(arg(of_profiles.iter().filter_map(|it| it.profile).collect::<Vec<Uuid>>()));
            let rows = UPSERT_OF_PROFILES.rows(&args, |row| (row.column("profile_id"), decode(row)));
            let keyed = rows.into_iter().filter_map(|(profile, row)| Some((Key::Profile(profile?), row)));
            written.extend(keyed);
        }
        let in_order = runtimes.iter().map(|it| written.remove(&it.key()).ok_or_else(|| it.not_written()));
        in_order.collect()
    }

    fn args(&self, runtimes: &[&NewRuntime]) -> Vec<Arg> {
        let texts = |of: fn(&NewRuntime) -> &String| arg(runtimes.iter().map(|it| of(it).clone()).collect::<Vec<_>>());
        vec![
            arg(self.workspace),
            arg(self.daemon_id.clone()),
            arg(self.mode.clone()),
            texts(|it| &it.name),
            texts(|it| &it.provider),
            texts(|it| &it.status),
            texts(|it| &it.device_info),
            arg(self.owner),
            arg(self.now),
            arg(runtimes.iter().map(|it| it.metadata).collect::<Vec<_>>()),
        ]
    }
}

/// The arguments of multica_upsert_runtime.
pub struct Arguments {
    /// Id of the workspace.
    pub workspace_id: Option<Uuid>,
    /// Id of the daemon.
    pub daemon_id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// 'local' or 'cloud'.
    pub runtime_mode: Option<String>,
    /// Name of the provider.
    pub provider: Option<String>,
    /// 'online' or 'offline'.
    pub status: Option<String>,
    /// Description of the device.
    pub device_info: Option<String>,
    /// Metadata object.
    pub metadata: Option<Jsonb>,
    /// User who owns the runtime.
    pub owner_id: Option<Uuid>,
    /// Profile to which the runtime belongs.
    pub profile_id: Option<Uuid>,
}

/// Inserts a runtime or overwrites the one with the same daemon id and provider, or the same profile.
pub fn upsert(given: Arguments, call: &mut Call) -> Result<Composite<Registered>> {
    let workspace = required("workspace_id", given.workspace_id)?;
    let name = required("name", given.name)?;
    let mode = required("runtime_mode", given.runtime_mode)?;
    let mut provider = required("provider", given.provider)?;
    let status = required("status", given.status)?;
    let device_info = required("device_info", given.device_info)?;
    let metadata = required("metadata", given.metadata)?;
    one_of("runtime_mode", &mode, &MODES)?;
    one_of("status", &status, &STATUSES)?;
    if given.profile_id.is_none() {
        key("provider", &provider)?;
    }
    let daemon = given.daemon_id.as_deref();
    if mode != "cloud" {
        not_blank("daemon_id", required("daemon_id", daemon)?)?;
    }
    fits_key("daemon_id", daemon.unwrap_or_default())?;
    lock_set::workspace_for_key_share(workspace)?;
    if let Some(profile) = given.profile_id {
        provider = Profiles::lock(workspace, vec![profile]).enabled(profile)?.provider.clone();
    }
    let now = call.now();
    let upsert = Upsert { workspace, daemon_id: given.daemon_id, mode, owner: given.owner_id, now };
    let runtime = NewRuntime { profile: given.profile_id, provider, name, status, device_info, metadata };
    let mut written = upsert.write(&[runtime], |row| (Composite::from_row(row), row.required::<Uuid>("id")))?;
    let (registered, id) = written.pop().expect("one row per runtime");
    runtime_return::note(vec![id], now);
    call.runtimes("register", [(workspace, id)]);
    Ok(registered)
}

/// Inserts a runtime or overwrites the one with the same daemon id and provider, or the same daemon id and profile; a
/// NULL owner keeps the present owner (UpsertAgentRuntime).
#[allow(clippy::too_many_arguments)]
#[pg_extern(name = "multica_upsert_runtime")]
#[search_path(@extschema@, pg_temp)]
fn multica_upsert_runtime_since_0_4(
    workspace_id: Option<Uuid>,
    daemon_id: Option<String>,
    name: Option<String>,
    runtime_mode: Option<String>,
    provider: Option<String>,
    status: Option<String>,
    device_info: default!(Option<String>, "''"),
    metadata: default!(Option<Jsonb>, "'{}'"),
    owner_id: default!(Option<Uuid>, "NULL"),
    profile_id: default!(Option<Uuid>, "NULL"),
) -> Composite<Registered> {
    call(|call| {
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
