//! Merges runtimes: the agents, tasks, chat sessions and identity of an old runtime move to the runtime that replaces
//! it, with what that runtime lacks, and the old row is deleted.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_limits;
use super::lock_set::{LockSet, Runtimes};
use super::system_agents::{Joined, with_system_agents};
use super::{incarnation, writer};
use crate::postgres::statement::{Statement, arg};

static USERS_OF: Statement = Statement::volatile(sql!("lifecycle/merge/agents_using.sql"));
static CHATS_USING: Statement = Statement::volatile(sql!("lifecycle/merge/chats_using.sql")).of_whole_tables();
static REASSIGN_CHATS: Statement = Statement::volatile(sql!("lifecycle/merge/reassign_chats.sql"));
static REASSIGN_AGENTS: Statement = Statement::volatile(sql!("lifecycle/merge/reassign_agents.sql"));
static REASSIGN_TASKS: Statement = Statement::volatile(sql!("lifecycle/merge/reassign_tasks.sql"));
static RECORD_LEGACY: Statement = Statement::volatile(sql!("lifecycle/merge/record_legacy_daemon_id.sql"));
static INHERIT: Statement = Statement::volatile(sql!("lifecycle/merge/inherit.sql"));
static DELETE: Statement = Statement::volatile(sql!("lifecycle/merge/delete_runtimes.sql"));

/// The merge of one runtime into another.
pub struct RuntimeMerge {
    /// The old runtime, which is to be deleted.
    pub from: Uuid,
    /// The runtime that replaces it.
    pub to: Uuid,
    /// The old identity, to be stored in the runtime that replaces it.
    pub remember: String,
}

/// Returns the agents that are bound to the runtimes, and the agents that have tasks there.
pub fn agents_using(runtimes: &[Uuid]) -> Vec<Uuid> {
    USERS_OF.rows(&[arg(runtimes.to_vec())], |row| row.must(1))
}

/// Returns the chat sessions that can be resumed on the runtimes, each after its runtime. The deletion of a runtime
/// writes them.
pub fn chats_using(runtimes: &[Uuid]) -> Vec<(Uuid, Uuid)> {
    CHATS_USING.rows(&[arg(runtimes.to_vec())], |row| (row.required("runtime_id"), row.required("id")))
}

/// Adds to the locks of a merge or a deletion every row that refers to the runtimes `leaving`: their chat sessions,
/// their agents and all their tasks. The locks on all runtimes then prevent new ones.
pub fn with_users(leaving: &[Uuid], mut wanted: LockSet) -> LockSet {
    wanted.strength = Runtimes::Update;
    wanted.chat_sessions.extend(chats_using(leaving).into_iter().map(|(_, chat)| chat));
    wanted.agents.extend(agents_using(leaving));
    wanted.emptied.extend(leaving);
    wanted
}

/// Adds to the locks every row that a merge of the runtimes `leaving` into others of `runtimes` writes.
pub fn with_merged(runtimes: &[Uuid], leaving: &[Uuid], wanted: LockSet) -> LockSet {
    let mut wanted = with_system_agents(runtimes, leaving, with_users(leaving, wanted));
    if incarnation::is_recorded_for(leaving) {
        wanted.inherited.extend(runtimes);
    }
    wanted
}

/// The part of a WARNING about an old runtime that could not be deleted.
const MOVED: &str = "its agents and tasks have moved, but the runtime stays";

/// What a merge did.
#[derive(Default)]
pub struct MergeResult {
    /// Agents moved.
    pub agents: i64,
    /// Tasks moved.
    pub tasks: i64,
    /// Agents whose status or archive date has changed, because system agents were joined.
    pub changed: Vec<Uuid>,
    /// The old runtimes that could not be deleted. Their agents and tasks have moved, unless that was refused too.
    pub kept: Vec<Uuid>,
}

/// Applies merges, in a few statements for any number of merges. If a table of a user refers to an old runtime, the
/// runtime stays, without its agents and tasks, and is named in a WARNING; this does not stop the daemon from working.
/// The caller holds the locks of [`with_merged`], and announces the agents that have changed. `checks_deferred`: as for [`writer::attempt`].
pub fn apply_merges(moves: &[RuntimeMerge], checks_deferred: bool, now: TimestampWithTimeZone) -> MergeResult {
    if moves.is_empty() {
        return MergeResult::default();
    }
    let mut carried = MergeResult::default();
    let whole = writer::attempt(|| (move_users(moves, now), delete_runtimes(sources(moves))), checks_deferred);
    if let Ok((moved, deleted)) = whole {
        carried.add(moved);
        for step in moves {
            carried.keep_unless_in(&deleted, step);
        }
        return carried;
    }
    for step in moves {
        let step = std::slice::from_ref(step);
        match writer::attempt(|| move_users(step, now), checks_deferred) {
            Ok(moved) => {
                carried.add(moved);
                match writer::attempt(|| delete_runtimes(sources(step)), checks_deferred) {
                    Ok(deleted) => carried.keep_unless_in(&deleted, &step[0]),
                    Err(refusal) => carried.keep(&step[0], MOVED, &refusal.text),
                }
            }
            Err(refusal) => carried.keep(&step[0], "the runtime stays as it is", &refusal.text),
        }
    }
    carried
}

/// Leaves merges for later, because other sessions hold rows that these merges write. Each old runtime is named in a
/// WARNING.
pub fn postpone_merges(moves: &[RuntimeMerge]) -> MergeResult {
    let mut result = MergeResult::default();
    for step in moves {
        result.keep(
            step,
            "the runtime stays as it is",
            "other sessions hold its agents or tasks; register again later",
        );
    }
    result
}

fn sources(moves: &[RuntimeMerge]) -> Vec<Uuid> {
    moves.iter().map(|step| step.from).collect()
}

/// Deletes runtimes, and returns those that were deleted, because a trigger may keep a runtime without an error.
pub fn delete_runtimes(runtimes: Vec<Uuid>) -> Vec<Uuid> {
    DELETE.rows(&[arg(runtimes)], |row| row.must(1))
}

/// What moved, as in [`MergeResult`].
struct Moved {
    agents: i64,
    tasks: i64,
    changed: Vec<Uuid>,
}

fn move_users(moves: &[RuntimeMerge], now: TimestampWithTimeZone) -> Moved {
    let from = sources(moves);
    let to: Vec<Uuid> = moves.iter().map(|step| step.to).collect();
    let remembered: Vec<String> = moves.iter().map(|step| step.remember.clone()).collect();
    let joined = Joined::archive(&from, &to, now);
    move_chats(from.clone(), to.clone());
    let agents = move_agents(from.clone(), to.clone());
    let tasks = move_tasks(from.clone(), to.clone(), &joined);
    let changed = joined.give_tasks(now);
    INHERIT.run(&[arg(from.clone()), arg(to.clone()), arg(remembered)]);
    claim_limits::follow(from.clone(), to.clone());
    incarnation::inherit(from, to);
    Moved { agents, tasks, changed }
}

impl MergeResult {
    fn add(&mut self, moved: Moved) {
        self.agents += moved.agents;
        self.tasks += moved.tasks;
        self.changed.extend(moved.changed);
    }

    fn keep_unless_in(&mut self, deleted: &[Uuid], step: &RuntimeMerge) {
        if !deleted.contains(&step.from) {
            self.keep(step, MOVED, "a trigger on agent_runtime keeps the row");
        }
    }

    fn keep(&mut self, step: &RuntimeMerge, state: &str, reason: &str) {
        self.kept.push(step.from);
        writer::warn(format!("multica could not merge runtime {} into {}: {state}: {}", step.from, step.to, reason));
    }
}

/// Lets the chat sessions of each runtime in `from` resume on the runtime at the same place in `to`.
fn move_chats(from: Vec<Uuid>, to: Vec<Uuid>) {
    let chats: Vec<Uuid> = chats_using(&from).into_iter().map(|(_, chat)| chat).collect();
    if !chats.is_empty() {
        REASSIGN_CHATS.run(&[arg(chats), arg(from), arg(to)]);
    }
}

/// Binds the agents of each runtime in `from` to the runtime at the same place in `to`; returns how many. A system agent
/// stays if the other runtime has one of the same owner and key.
pub fn move_agents(from: Vec<Uuid>, to: Vec<Uuid>) -> i64 {
    REASSIGN_AGENTS.run(&[arg(from), arg(to)]) as i64
}

/// Moves the tasks of each runtime in `from`, including ended ones, to the runtime at the same place in `to`, and the
/// tasks of `joined` agents there to the agents that are kept; returns how many.
pub fn move_tasks(from: Vec<Uuid>, to: Vec<Uuid>, joined: &Joined) -> i64 {
    REASSIGN_TASKS.run(&[arg(from), arg(to), arg(joined.agents.clone()), arg(joined.kept.clone())]) as i64
}

/// Stores an earlier identity in each runtime that has none yet, the first one if several are passed. Returns whether
/// an identity was stored.
pub fn remember(runtimes: Vec<Uuid>, identities: Vec<String>) -> bool {
    RECORD_LEGACY.run(&[arg(runtimes), arg(identities)]) > 0
}
