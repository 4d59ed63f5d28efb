//! The registration of a daemon: all its runtimes are written, or none.

use std::collections::HashMap;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::registration_request::Registration;
use super::upsert::{Upsert, not_written};
use crate::argument::required;
use crate::lifecycle::compatibility;
use crate::lifecycle::event::call;
use crate::lifecycle::lock_set::{self, LockSet, Runtimes};
use crate::lifecycle::merge::{RuntimeMerge, apply_merges, lock_with_users};
use crate::lifecycle::verdict::{orphans_of, recover, still_orphans};
use crate::postgres::composite::{Composite, set};
use crate::postgres::deferred;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::types::Registered;

static FIND: Statement = Statement::volatile(sql!("runtime/find_registered.sql"));
static REGISTERED: Statement = Statement::volatile(sql!("runtime/registered.sql"));

extension_sql_file!(
    "../../sql/extension/comments/register.sql",
    name = "register_comments",
    requires = [multica_register]
);

/// A row that a registration overwrites, or (`legacy`) merges.
struct ExistingRuntime {
    id: Uuid,
    provider: String,
    daemon_id: String,
    legacy: bool,
}

fn existing(workspace: Uuid, registration: &Registration, providers: &[String]) -> Vec<ExistingRuntime> {
    let args = [
        arg(workspace),
        arg(registration.daemon_id.clone()),
        arg(providers.to_vec()),
        arg(registration.legacy_daemon_ids.clone()),
    ];
    FIND.rows(&args, |row| ExistingRuntime {
        id: row.required("id"),
        provider: row.required("provider"),
        daemon_id: row.column("daemon_id").unwrap_or_default(),
        legacy: row.required("legacy"),
    })
}

/// Returns the identity to store for a merged row, as the daemon sent it.
fn as_sent(registration: &Registration, daemon_id: &str) -> String {
    let folded = daemon_id.to_ascii_lowercase();
    let sent = registration.legacy_daemon_ids.iter().find(|id| id.to_ascii_lowercase() == folded);
    sent.cloned().unwrap_or_else(|| daemon_id.to_string())
}

/// Registers a daemon, in one transaction: its runtimes are inserted or overwritten, its runtimes under earlier
/// identities are merged into them, and with "recover" the orphans of its previous process are failed.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_register(
    workspace_id: Option<Uuid>,
    registration: Option<Jsonb>,
    owner_id: default!(Option<Uuid>, "NULL"),
) -> SetOfIterator<'static, Composite<Registered>> {
    call(|call| {
        let workspace = required("workspace_id", workspace_id)?;
        let registration = Registration::read(&required("registration", registration)?.text())?;
        if registration.recover {
            compatibility::require(&compatibility::FAILING)?;
        }
        let named = registration.named()?;
        let providers: Vec<String> = named.iter().map(|entry| entry.provider.clone()).collect();

        let before = existing(workspace, &registration, &providers);
        let ids: Vec<Uuid> = before.iter().map(|row| row.id).collect();
        let running: Vec<Uuid> = registration.running().collect();
        let orphans = if registration.recover { orphans_of(&ids, &running) } else { Vec::new() };
        let of_orphans = || LockSet::of_tasks(orphans.clone());
        if before.iter().any(|row| row.legacy) {
            lock_with_users(workspace, &ids, of_orphans);
        } else {
            lock_set::workspace_for_key_share(workspace)?;
            let mut wanted = of_orphans();
            wanted.runtimes.extend(&ids);
            wanted.strength = Runtimes::NoKeyUpdate;
            wanted.acquire();
        }
        lock_set::workspace_for_key_share(workspace)?;
        let orphans = still_orphans(orphans, &ids, &running);

        let checks_deferred = !deferred::is_pending_before();
        let now = call.now();
        let upsert = Upsert {
            workspace,
            daemon_id: Some(registration.daemon_id.clone()),
            mode: "local".to_string(),
            names: named.iter().map(|entry| entry.name.clone()).collect(),
            providers: providers.clone(),
            statuses: named.iter().map(|entry| entry.status.clone()).collect(),
            device_infos: named.iter().map(|entry| entry.device_info.clone()).collect(),
            metadata: named.iter().map(|entry| Jsonb::read(&entry.metadata)).collect(),
            owner: owner_id,
        };
        let written: Vec<(String, Uuid, bool)> = upsert.write(now, |row| {
            let inserted = row.column("inserted").unwrap_or_default();
            (row.column("provider").unwrap_or_default(), row.must(1), inserted)
        });
        let by_provider: HashMap<&str, (Uuid, bool)> =
            written.iter().map(|(provider, id, inserted)| (provider.as_str(), (*id, *inserted))).collect();
        let in_order = providers
            .iter()
            .map(|provider| {
                let found = by_provider.get(provider.as_str()).copied();
                found.ok_or_else(|| not_written(provider))
            })
            .collect::<crate::error::Result<Vec<(Uuid, bool)>>>()?;

        let mut still = existing(workspace, &registration, &providers);
        still.retain(|row| row.legacy && ids.contains(&row.id));
        let moves: Vec<RuntimeMerge> = still
            .iter()
            .map(|row| RuntimeMerge {
                from: row.id,
                to: by_provider[row.provider.as_str()].0,
                remember: as_sent(&registration, &row.daemon_id),
            })
            .collect();
        let kept = apply_merges(&moves, checks_deferred).kept;

        recover(&orphans, call, checks_deferred);
        call.runtimes("register", written.iter().map(|(_, id, _)| (workspace, *id)));

        let mut merged: HashMap<Uuid, i64> = HashMap::new();
        let mut not_merged: HashMap<Uuid, i64> = HashMap::new();
        for step in &moves {
            let counted = if kept.contains(&step.from) { &mut not_merged } else { &mut merged };
            *counted.entry(step.to).or_default() += 1;
        }
        let ids: Vec<Uuid> = in_order.iter().map(|(id, _)| *id).collect();
        let of_each = |counted: HashMap<Uuid, i64>| -> Vec<i64> {
            let count = |id| counted.get(id).copied().unwrap_or_default();
            ids.iter().map(count).collect()
        };
        let (merged, not_merged) = (of_each(merged), of_each(not_merged));
        let inserted: Vec<bool> = in_order.iter().map(|(_, inserted)| *inserted).collect();
        Ok(set(REGISTERED.rows(&[arg(ids), arg(inserted), arg(merged), arg(not_merged)], Composite::from_row)))
    })
}
