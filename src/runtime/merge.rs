//! A machine that comes back under another identity: its old runtimes become part of the new one.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::registry::workspace_of;
use crate::argument::{excerpt, not_blank, required};
use crate::clock;
use crate::deferred;
use crate::entry::entry;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::kind::Merged;
use crate::lock::{self, Runtimes, Wanted};
use crate::other_kind::no_runtime;
use crate::row::Composite;
use crate::spi::{Statement, arg};
use crate::writer;

static MATCHES: Statement = Statement::write(include_str!("../../sql/runtime/find_legacy.sql"));
static GET_FOR_WORKSPACE: Statement =
    Statement::write(include_str!("../../sql/runtime/get_for_workspace.sql")).of_visible_rows();
static USERS_OF: Statement = Statement::write(include_str!("../../sql/runtime/users_of.sql"));
static REASSIGN_AGENTS: Statement =
    Statement::write(include_str!("../../sql/runtime/reassign_agents.sql"));
static REASSIGN_TASKS: Statement =
    Statement::write(include_str!("../../sql/runtime/reassign_tasks.sql"));
static RECORD_LEGACY: Statement = Statement::write(include_str!(
    "../../sql/runtime/record_legacy_daemon_id.sql"
));
static DELETE: Statement = Statement::write(include_str!("../../sql/runtime/delete.sql"));

extension_sql_file!(
    "../../sql/install/comments/merge.sql",
    name = "merge_comments",
    requires = [
        multica_merge_legacy,
        multica_reassign_agents,
        multica_reassign_tasks,
        multica_record_legacy_daemon_id
    ]
);

/// A runtime that becomes part of another one.
pub struct Move {
    /// The runtime that goes.
    pub from: Uuid,
    /// The runtime that stays.
    pub to: Uuid,
    /// The identity to remember on the one that stays.
    pub remember: String,
}

/// The agents bound to the runtimes, and those that left tasks on them.
pub fn users_of(runtimes: &[Uuid]) -> Vec<Uuid> {
    USERS_OF.rows(&[arg(runtimes.to_vec())], |row| row.must(1))
}

/// Locks everything that merging or deleting these runtimes touches, and what `others` asks for. Agents that come to use
/// the runtimes meanwhile are among them: once it returns, nobody else can refer to the runtimes.
pub fn lock_with_users(workspace: Uuid, runtimes: &[Uuid], others: impl Fn() -> Wanted) {
    lock::settle(|| {
        let mut wanted = others();
        wanted.workspaces.push(workspace);
        wanted.agents.extend(users_of(runtimes));
        wanted.runtimes.extend(runtimes);
        wanted.strength = Runtimes::Update;
        wanted
    });
}

/// What is told of an old runtime that could not be deleted.
const MOVED: &str = "its agents and tasks are moved, it stays";

/// What a merge did.
#[derive(Default)]
pub struct Carried {
    /// Agents moved.
    pub agents: i64,
    /// Tasks moved.
    pub tasks: i64,
    /// The old runtimes that could not be deleted. Their agents and tasks have moved, unless that was refused too.
    pub kept: Vec<Uuid>,
}

/// Carries the moves out, in four statements for any number of them. A runtime that something of a user's refers to stays,
/// without its agents and tasks, and is told in a WARNING: whoever registers can work all the same. The caller holds the
/// locks of [`lock_with_users`]. `checks_deferred`: as [`writer::attempt`].
pub fn carry_out(moves: &[Move], checks_deferred: bool) -> Carried {
    if moves.is_empty() {
        return Carried::default();
    }
    let mut carried = Carried::default();
    let whole = writer::attempt(
        || (move_users(moves), delete(sources(moves))),
        checks_deferred,
    );
    if let Ok(((agents, tasks), deleted)) = whole {
        (carried.agents, carried.tasks) = (agents, tasks);
        for step in moves {
            carried.keep_unless_in(&deleted, step);
        }
        return carried;
    }
    for step in moves {
        let step = std::slice::from_ref(step);
        match writer::attempt(|| move_users(step), checks_deferred) {
            Ok((agents, tasks)) => {
                carried.agents += agents;
                carried.tasks += tasks;
                match writer::attempt(|| delete(sources(step)), checks_deferred) {
                    Ok(deleted) => carried.keep_unless_in(&deleted, &step[0]),
                    Err(refusal) => carried.keep(&step[0], MOVED, &refusal.text),
                }
            }
            Err(refusal) => carried.keep(&step[0], "it stays as it is", &refusal.text),
        }
    }
    carried
}

fn sources(moves: &[Move]) -> Vec<Uuid> {
    moves.iter().map(|step| step.from).collect()
}

/// Deletes runtimes, and returns those that are gone: a trigger may keep one without an error.
fn delete(runtimes: Vec<Uuid>) -> Vec<Uuid> {
    DELETE.rows(&[arg(runtimes)], |row| row.must(1))
}

fn move_users(moves: &[Move]) -> (i64, i64) {
    let to: Vec<Uuid> = moves.iter().map(|step| step.to).collect();
    let remembered: Vec<String> = moves.iter().map(|step| step.remember.clone()).collect();
    let agents = REASSIGN_AGENTS.run(&[arg(sources(moves)), arg(to.clone())]);
    let tasks = REASSIGN_TASKS.run(&[arg(sources(moves)), arg(to.clone())]);
    RECORD_LEGACY.run(&[arg(to), arg(remembered)]);
    (agents as i64, tasks as i64)
}

impl Carried {
    fn keep_unless_in(&mut self, deleted: &[Uuid], step: &Move) {
        if !deleted.contains(&step.from) {
            self.keep(step, MOVED, "a trigger on agent_runtime keeps it");
        }
    }

    fn keep(&mut self, step: &Move, state: &str, reason: &str) {
        self.kept.push(step.from);
        writer::warn(format!(
            "multica could not merge runtime {} into {}: {state}: {}",
            step.from, step.to, reason
        ));
    }
}

struct Match {
    id: Uuid,
    daemon_id: String,
    last_seen_at: Option<TimestampWithTimeZone>,
}

fn matches(workspace: Uuid, provider: &str, daemon_id: &str) -> Vec<Match> {
    MATCHES.rows(&[arg(workspace), arg(provider), arg(daemon_id)], |row| {
        Match {
            id: row.column("id").expect("a runtime has an id"),
            daemon_id: row.column("daemon_id").unwrap_or_default(),
            last_seen_at: row.column("last_seen_at"),
        }
    })
}

/// The runtime that stays: the one named, else the one with exactly this daemon id, else the most recently seen.
fn target(found: &[Match], into: Option<Uuid>, daemon_id: &str) -> Option<Uuid> {
    let exact = || found.iter().find(|row| row.daemon_id == daemon_id);
    let latest = || found.iter().max_by_key(|row| row.last_seen_at);
    into.or_else(|| exact().or_else(latest).map(|row| row.id))
}

/// The daemon id of the runtime to merge into; P0002 where it is not of this workspace and provider.
fn daemon_id_of(workspace: Uuid, provider: &str, runtime: Uuid) -> Result<Option<String>> {
    GET_FOR_WORKSPACE
        .row(&[arg(runtime), arg(workspace)], |row| {
            (
                row.column::<String>("provider"),
                row.column::<String>("daemon_id"),
            )
        })
        .filter(|(of, _)| of.as_deref() == Some(provider))
        .map(|(_, daemon_id)| daemon_id)
        .ok_or_else(|| {
            let place = format!(
                "workspace {workspace} with provider \"{}\"",
                excerpt(provider)
            );
            no_runtime(Error::not_found_in("runtime", runtime, place), runtime)
        })
}

/// Merges the runtimes of a workspace and provider whose daemon id is the given one but for case: agents and tasks move,
/// the identity is remembered, the old rows are deleted, in one transaction.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_merge_legacy(
    workspace_id: Option<Uuid>,
    provider: Option<&str>,
    daemon_id: Option<&str>,
    into_runtime_id: default!(Option<Uuid>, "NULL"),
) -> Composite<Merged> {
    entry(|| {
        let workspace = required("workspace_id", workspace_id)?;
        let provider = required("provider", provider)?;
        let daemon_id = required("daemon_id", daemon_id)?;
        let known_as = |into: Option<Uuid>| match into {
            Some(into) => daemon_id_of(workspace, provider, into),
            None => lock::workspace_for_key_share(workspace).map(|()| None),
        };
        known_as(into_runtime_id)?;
        let found = matches(workspace, provider, daemon_id);
        let mut locked: Vec<Uuid> = found
            .iter()
            .map(|row| row.id)
            .chain(into_runtime_id)
            .collect();
        locked.sort_unstable();
        locked.dedup();
        if locked.len() > 1 {
            lock_with_users(workspace, &locked, Wanted::default);
        }

        let own = known_as(into_runtime_id)?;
        let checks_deferred = !deferred::is_pending_before();
        let mut found = matches(workspace, provider, daemon_id);
        found.retain(|row| locked.contains(&row.id));
        let target = target(&found, into_runtime_id, daemon_id);
        let moves: Vec<Move> = target
            .map(|to| {
                let old = found.into_iter().filter(|row| row.id != to);
                old.map(|row| {
                    let remember = if own.as_deref() == Some(daemon_id) || into_runtime_id.is_none()
                    {
                        row.daemon_id
                    } else {
                        daemon_id.to_string()
                    };
                    Move {
                        from: row.id,
                        to,
                        remember,
                    }
                })
                .collect()
            })
            .unwrap_or_default();
        let carried = carry_out(&moves, checks_deferred);
        if let (Some(to), false) = (target, moves.is_empty()) {
            let mut events = Events::default();
            events.runtimes("merge", [(workspace, to)]);
            events.record(clock::now());
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

/// Both runtimes of a reassignment, locked, after making sure that they are of one workspace.
fn lock_pair(old: Option<Uuid>, new: Option<Uuid>) -> Result<(Uuid, Uuid)> {
    let old = required("old_runtime_id", old)?;
    let new = required("new_runtime_id", new)?;
    let workspace = workspace_of(old)?;
    if workspace_of(new)? != workspace {
        let place = format!("workspace {workspace}, the one of runtime {old}");
        return Err(no_runtime(Error::not_found_in("runtime", new, place), new));
    }
    lock_with_users(workspace, &[old, new], Wanted::default);
    workspace_of(old)?;
    workspace_of(new)?;
    Ok((old, new))
}

/// Moves every agent of a runtime to another one (ReassignAgentsToRuntime).
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_reassign_agents(old_runtime_id: Option<Uuid>, new_runtime_id: Option<Uuid>) -> i64 {
    entry(|| {
        let (old, new) = lock_pair(old_runtime_id, new_runtime_id)?;
        Ok(REASSIGN_AGENTS.run(&[arg(vec![old]), arg(vec![new])]) as i64)
    })
}

/// Moves every task of a runtime, finished ones included, to another one (ReassignTasksToRuntime).
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_reassign_tasks(old_runtime_id: Option<Uuid>, new_runtime_id: Option<Uuid>) -> i64 {
    entry(|| {
        let (old, new) = lock_pair(old_runtime_id, new_runtime_id)?;
        Ok(REASSIGN_TASKS.run(&[arg(vec![old]), arg(vec![new])]) as i64)
    })
}

/// Remembers an earlier identity of a runtime; the first one stays (RecordRuntimeLegacyDaemonID). True: recorded.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_record_legacy_daemon_id(
    runtime_id: Option<Uuid>,
    legacy_daemon_id: Option<String>,
) -> bool {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        let legacy = required("legacy_daemon_id", legacy_daemon_id)?;
        not_blank("legacy_daemon_id", &legacy)?;
        workspace_of(runtime)?;
        Ok(RECORD_LEGACY.run(&[arg(vec![runtime]), arg(vec![legacy])]) > 0)
    })
}
