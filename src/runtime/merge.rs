//! The calls for a daemon that registers under another identity: its old runtimes are merged into the new one.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::lookup::FIND_LEGACY;
use crate::argument::{excerpt, not_blank, required};
use crate::error::{Error, Result};
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::existence::{no_runtime, workspace_of};
use crate::lifecycle::lock_set::{self, LockSet};
use crate::lifecycle::merge::{RuntimeMerge, apply_merges, move_agents, move_tasks, remember, with_merged};
use crate::lifecycle::system_agents::Joined;
use crate::lifecycle::writer;
use crate::postgres::composite::Composite;
use crate::postgres::deferred;
use crate::postgres::entry::entry;
use crate::postgres::statement::{Statement, arg};
use crate::types::Merged;

static TARGET: Statement = Statement::volatile(sql!("runtime/target_of_merge.sql")).of_visible_rows();

extension_sql_file!(
    "../../sql/extension/comments/merge.sql",
    name = "merge_comments",
    requires = [multica_merge_legacy, multica_reassign_agents, multica_reassign_tasks, multica_record_legacy_daemon_id]
);

struct LegacyRuntime {
    id: Uuid,
    daemon_id: String,
    last_seen_at: Option<TimestampWithTimeZone>,
}

fn matches(workspace: Uuid, provider: &str, daemon_id: &str) -> Vec<LegacyRuntime> {
    FIND_LEGACY.latest().rows(&[arg(workspace), arg(provider), arg(daemon_id)], |row| LegacyRuntime {
        id: row.column("id").expect("a runtime has an id"),
        daemon_id: row.column("daemon_id").unwrap_or_default(),
        last_seen_at: row.column("last_seen_at"),
    })
}

/// Returns the runtime to merge into: `into` if it is passed, otherwise the runtime with exactly this daemon id,
/// otherwise the most recently seen runtime.
fn target(found: &[LegacyRuntime], into: Option<Uuid>, daemon_id: &str) -> Option<Uuid> {
    let exact = || found.iter().find(|row| row.daemon_id == daemon_id);
    let latest = || found.iter().max_by_key(|row| row.last_seen_at);
    into.or_else(|| exact().or_else(latest).map(|row| row.id))
}

/// Returns the daemon id of the runtime to merge into, or P0002 if the runtime is not of this workspace and provider, or
/// belongs to a profile.
fn daemon_id_of(workspace: Uuid, provider: &str, runtime: Uuid) -> Result<Option<String>> {
    TARGET.row(&[arg(runtime), arg(workspace), arg(provider)], |row| row.column("daemon_id")).ok_or_else(|| {
        let place = format!("workspace {workspace} with provider \"{}\"", excerpt(provider));
        no_runtime(Error::not_found_in("runtime", runtime, place), runtime)
    })
}

/// Locks runtimes, and every row that refers to those of them that are `leaving`.
fn lock(workspace: Uuid, runtimes: &[Uuid], leaving: &[Uuid]) -> Result<()> {
    lock_set::acquire_with_runtimes_or_fail(leaving, || {
        with_merged(runtimes, leaving, LockSet::default().with_written(workspace, runtimes))
    })
}

/// Merges the runtimes of a workspace and provider whose daemon id equals the given one if case is ignored. In one
/// transaction, agents and tasks move, the identity is stored, and the old rows are deleted.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_merge_legacy(
    workspace_id: Option<Uuid>,
    provider: Option<&str>,
    daemon_id: Option<&str>,
    into_runtime_id: default!(Option<Uuid>, "NULL"),
) -> Composite<Merged> {
    call(|call| {
        let workspace = required("workspace_id", workspace_id)?;
        let provider = required("provider", provider)?;
        let daemon_id = required("daemon_id", daemon_id)?;
        let known_as = |into: Option<Uuid>| match into {
            Some(into) => daemon_id_of(workspace, provider, into),
            None => lock_set::workspace_for_key_share(workspace).map(|()| None),
        };
        known_as(into_runtime_id)?;
        let found = matches(workspace, provider, daemon_id);
        let mut locked: Vec<Uuid> = found.iter().map(|row| row.id).chain(into_runtime_id).collect();
        locked.sort_unstable();
        locked.dedup();
        if locked.len() > 1 {
            let leaving: Vec<Uuid> = locked.iter().copied().filter(|id| into_runtime_id != Some(*id)).collect();
            lock(workspace, &locked, &leaving)?;
        }

        let own = known_as(into_runtime_id)?;
        let checks_deferred = !deferred::is_pending_before();
        let mut found = matches(workspace, provider, daemon_id);
        found.retain(|row| locked.contains(&row.id));
        let target = target(&found, into_runtime_id, daemon_id);
        let moves: Vec<RuntimeMerge> = target
            .map(|to| {
                let old = found.into_iter().filter(|row| row.id != to);
                old.map(|row| {
                    let remember = if own.as_deref() == Some(daemon_id) || into_runtime_id.is_none() {
                        row.daemon_id
                    } else {
                        daemon_id.to_string()
                    };
                    RuntimeMerge { from: row.id, to, remember }
                })
                .collect()
            })
            .unwrap_or_default();
        let carried = apply_merges(&moves, checks_deferred, call.now());
        if let (Some(to), false) = (target, moves.is_empty()) {
            call.runtimes("merge", [(workspace, to)]);
        }
        for agent in carried.changed {
            call.agent_status(agent);
        }
        Ok(Composite::of(&[
            ("runtime_id", arg(target)),
            ("merged", arg((moves.len() - carried.kept.len()) as i64)),
            ("agents_reassigned", arg(carried.agents)),
            ("tasks_reassigned", arg(carried.tasks)),
            ("not_merged", arg(carried.kept.len() as i64)),
        ]))
    })
}

/// The runtimes of a reassignment, and their workspace.
struct Pair {
    workspace: Uuid,
    old: Uuid,
    new: Uuid,
}

impl Pair {
    /// Announces that agents or tasks have moved to the new runtime.
    fn announce(&self, call: &mut Call) {
        call.runtimes("reassign", [(self.workspace, self.new)]);
    }
}

/// Checks that both runtimes of a reassignment are in one workspace, and locks them.
fn lock_pair(old: Option<Uuid>, new: Option<Uuid>) -> Result<Pair> {
    let old = required("old_runtime_id", old)?;
    let new = required("new_runtime_id", new)?;
    let workspace = workspace_of(old)?;
    if workspace_of(new)? != workspace {
        let place = format!("workspace {workspace}, the workspace of runtime {old}");
        return Err(no_runtime(Error::not_found_in("runtime", new, place), new));
    }
    lock(workspace, &[old, new], &[old])?;
    workspace_of(old)?;
    workspace_of(new)?;
    Ok(Pair { workspace, old, new })
}

/// Binds every agent of a runtime to another runtime (ReassignAgentsToRuntime).
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_reassign_agents(old_runtime_id: Option<Uuid>, new_runtime_id: Option<Uuid>) -> i64 {
    call(|call| {
        let pair = lock_pair(old_runtime_id, new_runtime_id)?;
        let Pair { old, new, .. } = pair;
        let checks_deferred = !deferred::is_pending_before();
        let join = || Joined::archive(&[old], &[new], call.now()).give_tasks(call.now());
        let changed = writer::attempt(join, checks_deferred).unwrap_or_else(|refusal| {
            writer::warn(format!(
                "multica leaves the system agents of runtime {old} there, because runtime {new} has the same ones: {}",
                refusal.text
            ));
            Vec::new()
        });
        let moved = move_agents(vec![old], vec![new]);
        if moved > 0 {
            pair.announce(call);
        }
        for agent in changed {
            call.agent_status(agent);
        }
        Ok(moved)
    })
}

/// Moves every task of a runtime, including ended ones, to another runtime (ReassignTasksToRuntime).
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_reassign_tasks(old_runtime_id: Option<Uuid>, new_runtime_id: Option<Uuid>) -> i64 {
    call(|call| {
        let pair = lock_pair(old_runtime_id, new_runtime_id)?;
        let moved = move_tasks(vec![pair.old], vec![pair.new], &Joined::default());
        if moved > 0 {
            pair.announce(call);
        }
        Ok(moved)
    })
}

/// Stores an earlier identity of a runtime if none is stored yet (RecordRuntimeLegacyDaemonID). Returns whether it was
/// stored.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_record_legacy_daemon_id(runtime_id: Option<Uuid>, legacy_daemon_id: Option<String>) -> bool {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        let legacy = required("legacy_daemon_id", legacy_daemon_id)?;
        not_blank("legacy_daemon_id", &legacy)?;
        workspace_of(runtime)?;
        Ok(remember(vec![runtime], vec![legacy]))
    })
}
