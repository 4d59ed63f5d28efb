//! The registration of a daemon: all its runtimes are written, or none.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::profile::Profiles;
use super::registration_request::{Registration, not_recorded};
use super::upsert::{NewRuntime, Upsert};
use crate::argument::required;
use crate::lifecycle::event::call;
use crate::lifecycle::incarnation;
use crate::lifecycle::lock_set::{self, LockSet};
use crate::lifecycle::merge::{RuntimeMerge, apply_merges, postpone_merges, with_merged};
use crate::lifecycle::runtime_return;
use crate::lifecycle::unnamed;
use crate::lifecycle::verdict::{orphans_of, postpone_recovery, recover, still_orphans};
use crate::lifecycle::writer;
use crate::postgres::composite::{Composite, set};
use crate::postgres::deferred;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Row, Statement, arg};
use crate::types::Registered;

static FIND: Statement = Statement::volatile(sql!("runtime/find_registered.sql"));
static FIND_OF_PROFILES: Statement = Statement::volatile(sql!("runtime/find_of_profiles.sql"));
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

fn ids_of(rows: &[ExistingRuntime]) -> Vec<Uuid> {
    rows.iter().map(|row| row.id).collect()
}

/// Returns the runtimes of profiles that a registration overwrites.
fn existing_of_profiles(workspace: Uuid, registration: &Registration, profiles: &Profiles) -> Vec<Uuid> {
    let ids = profiles.ids();
    match ids.is_empty() {
        true => Vec::new(),
        false => FIND_OF_PROFILES
            .rows(&[arg(workspace), arg(registration.daemon_id.clone()), arg(ids)], |row| row.required("id")),
    }
}

/// A runtime that was written, and whether it is new.
#[derive(Clone, Copy)]
struct Written {
    id: Uuid,
    inserted: bool,
}

impl Written {
    fn read(row: &Row) -> Self {
        Self { id: row.required("id"), inserted: row.column("inserted").unwrap_or_default() }
    }
}

/// Writes an offline runtime for each failed profile. A profile for which this is not possible is named in a WARNING,
/// because the daemon's other runtimes must not wait for its repair.
fn write_failed(
    failed: Vec<std::result::Result<NewRuntime, String>>,
    upsert: &Upsert,
    checks_deferred: bool,
) -> Vec<Written> {
    let write = |runtime: NewRuntime| -> std::result::Result<Written, String> {
        let attempt = writer::attempt(|| upsert.write(std::slice::from_ref(&runtime), Written::read), checks_deferred);
        let problem = match attempt {
            Ok(Ok(written)) => return Ok(written[0]),
            Ok(Err(error)) => error.to_string(),
            Err(refusal) => refusal.text,
        };
        let profile = runtime.profile.map(|profile| profile.to_string()).unwrap_or_default();
        Err(not_recorded(&profile, &problem))
    };
    let written = failed.into_iter().map(|resolved| resolved.and_then(write));
    written.filter_map(|result| result.map_err(writer::warn).ok()).collect()
}

/// Returns the identity to store for a merged row, as the daemon sent it.
fn as_sent(registration: &Registration, daemon_id: &str) -> String {
    let folded = daemon_id.to_ascii_lowercase();
    let sent = registration.legacy_daemon_ids.iter().find(|id| id.to_ascii_lowercase() == folded);
    sent.cloned().unwrap_or_else(|| daemon_id.to_string())
}

/// Registers a daemon, in one transaction: its runtimes are inserted or overwritten, its runtimes under earlier
/// identities are merged into them, and with "recover" the orphans of its previous process are failed. Merges and
/// recovery are left for later if other sessions hold rows that these write, again and again.
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
        let asked = registration.profiles();
        if !asked.is_empty() {
            lock_set::workspace_for_key_share(workspace)?;
        }
        let profiles = Profiles::lock(workspace, asked);
        let runtimes = registration.resolved(&profiles)?;
        let failed = registration.failed(&profiles, &runtimes);
        let built_in = runtimes.iter().filter(|it| it.profile.is_none());
        let providers: Vec<String> = built_in.map(|it| it.provider.clone()).collect();

        let before = existing(workspace, &registration, &providers);
        let of_profiles = existing_of_profiles(workspace, &registration, &profiles);
        let ids: Vec<Uuid> = before.iter().map(|row| row.id).chain(of_profiles.iter().copied()).collect();
        let running: Vec<Uuid> = registration.running().collect();
        let process = registration.incarnation();
        let look_for_orphans = || match registration.recover {
            true => orphans_of(&ids, &running, process),
            false => Vec::new(),
        };
        let orphans = RefCell::new(look_for_orphans());
        let (legacy, own): (Vec<ExistingRuntime>, Vec<ExistingRuntime>) =
            before.into_iter().partition(|row| row.legacy);
        let (legacy, own) = (ids_of(&legacy), [ids_of(&own), of_profiles].concat());
        // The former process may be claiming at this moment. Its claims end before the lock on its incarnation is
        // granted, and none begins after it, so a second look under the locks finds the last one.
        let is_replacing = registration.recover && process.is_some();
        let may_change_others = !legacy.is_empty() || !orphans.borrow().is_empty() || is_replacing;
        let is_all_locked = may_change_others
            && lock_set::acquire_with_runtimes(|| {
                if is_replacing {
                    orphans.replace(look_for_orphans());
                }
                let wanted = LockSet::of_tasks(orphans.borrow().clone());
                let wanted = wanted.with_written(workspace, &ids).with_replaced(&ids, process);
                if legacy.is_empty() { wanted } else { with_merged(&ids, &legacy, wanted) }
            });
        let orphans = orphans.into_inner();
        if !is_all_locked {
            LockSet::default().with_written(workspace, &own).with_replaced(&own, process).acquire()?;
        }
        lock_set::workspace_for_key_share(workspace)?;
        if let Some(process) = process {
            incarnation::check_registration(&ids, process)?;
        }
        let orphans = if is_all_locked {
            still_orphans(orphans, &ids, &running, process)
        } else {
            postpone_recovery(&orphans);
            Vec::new()
        };

        let checks_deferred = !deferred::is_pending_before();
        let upsert = Upsert {
            workspace,
            daemon_id: Some(registration.daemon_id.clone()),
            mode: "local".to_string(),
            owner: owner_id,
            now: call.now(),
        };
        let mut written = upsert.write(&runtimes, Written::read)?;
        let pairs = runtimes.iter().zip(&written).filter(|(runtime, _)| runtime.profile.is_none());
        let by_provider: HashMap<&str, Uuid> =
            pairs.map(|(runtime, written)| (runtime.provider.as_str(), written.id)).collect();

        let mut still = existing(workspace, &registration, &providers);
        still.retain(|row| row.legacy && ids.contains(&row.id));
        let moves: Vec<RuntimeMerge> = still
            .iter()
            .map(|row| RuntimeMerge {
                from: row.id,
                to: by_provider[row.provider.as_str()],
                remember: as_sent(&registration, &row.daemon_id),
            })
            .collect();
        let now = call.now();
        let done = if is_all_locked { apply_merges(&moves, checks_deferred, now) } else { postpone_merges(&moves) };
        let kept = done.kept;

        written.extend(write_failed(failed, &upsert, checks_deferred));
        let ids: Vec<Uuid> = written.iter().map(|it| it.id).collect();
        unnamed::named(running);
        runtime_return::note(ids.clone(), call.now());
        let replaced = process.map(|process| incarnation::register(ids.clone(), process, call.now()));
        call.registered(workspace, &ids, &replaced.unwrap_or_default());
        for agent in done.changed {
            call.agent_status(agent);
        }
        // A recovery records its events itself, after that of the registration.
        call.record();
        recover(&orphans, call, checks_deferred);

        let mut merged: HashMap<Uuid, i64> = HashMap::new();
        let mut not_merged: HashMap<Uuid, i64> = HashMap::new();
        for step in &moves {
            let counted = if kept.contains(&step.from) { &mut not_merged } else { &mut merged };
            *counted.entry(step.to).or_default() += 1;
        }
        let of_each = |counted: HashMap<Uuid, i64>| -> Vec<i64> {
            let count = |id| counted.get(id).copied().unwrap_or_default();
            ids.iter().map(count).collect()
        };
        let (merged, not_merged) = (of_each(merged), of_each(not_merged));
        let inserted: Vec<bool> = written.iter().map(|it| it.inserted).collect();
        Ok(set(REGISTERED.rows(&[arg(ids), arg(inserted), arg(merged), arg(not_merged)], Composite::from_row)))
    })
}
