//! The call by which a runtime claims tasks.
//!
//! The lock on an agent's row protects the agent's capacity and its pairs of issue and agent. Therefore tasks that were
//! chosen without locks are chosen again under the locks, in a fresh snapshot. Agents and chat sessions that other
//! sessions hold are skipped. Only if all agents are held, the call waits for one, and only while it holds no other
//! lock: a call that has set its runtime online waits for nothing, because the heartbeats of its machine would wait
//! too. Neither does a call that has queued deferred tasks, because it holds their rows.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_token;
use crate::argument::required;
use crate::error::{Error, Result};
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::compatibility;
use crate::lifecycle::event::{Call, TaskSnapshot, call};
use crate::lifecycle::existence::no_runtime;
use crate::lifecycle::incarnation;
use crate::lifecycle::liveness;
use crate::lifecycle::lock_set::{self, LockSet};
use crate::lifecycle::many_rows;
use crate::lifecycle::promotion;
use crate::lifecycle::thresholds;
use crate::postgres::composite::{Composite, set};
use crate::postgres::deferred;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::snapshot;
use crate::postgres::statement::{Statement, arg};
use crate::settings;
use crate::types::Claimed;

static CHOOSE: Statement = Statement::volatile(sql!("task/claim_candidates.sql")).in_index_order();
static CLAIM: Statement = Statement::volatile(sql!("task/claim.sql")).by_id();
static WAKE: Statement = Statement::volatile(sql!("task/wake_agents.sql")).by_id();

extension_sql_file!(
    "../../sql/extension/comments/claim.sql",
    name = "claim_comments",
    requires = [multica_claim_since_0_4]
);

/// How many tasks one call claims at most.
const MAX_TASKS: i64 = 100;
/// How often a claim chooses tasks at most, if other sessions take the chosen tasks in the meantime.
const MAX_ROUNDS: usize = 3;

struct Candidate {
    task: Uuid,
    agent: Uuid,
    chat: Option<Uuid>,
    is_void: bool,
    queued: bool,
    wakes_agent: bool,
}

/// The tasks that may be claimed, and the values of the runtime's row.
struct Candidates {
    /// How many transactions had ended before the search, and how many tasks it was to find at most.
    ended: u64,
    limit: i64,
    workspace: Uuid,
    needs_sign_of_life: bool,
    has_deferred: bool,
    tasks: Vec<Candidate>,
}

impl Candidates {
    fn find(runtime: Uuid, agents: Option<Vec<Uuid>>, limit: i64, now: TimestampWithTimeZone) -> Result<Self> {
        let ended = snapshot::ended_transactions();
        let args = [
            arg(runtime),
            arg(now),
            arg(settings::redeliver_after_secs()),
            arg(thresholds::stale_after().secs / 3.0),
            arg(agents),
            arg(limit),
        ];
        let rows = CHOOSE.rows(&args, |row| {
            let candidate = row.column("task_id").map(|task| Candidate {
                task,
                agent: row.required("agent_id"),
                chat: row.column("chat_session_id"),
                is_void: row.required("is_void"),
                queued: row.required("is_queued"),
                wakes_agent: row.required("wakes_agent"),
            });
            let of_runtime =
                (row.required("workspace_id"), row.required("needs_sign_of_life"), row.required("has_deferred"));
            (of_runtime, candidate)
        });
        let (workspace, needs_sign_of_life, has_deferred) = rows
            .first()
            .map(|(of_runtime, _)| *of_runtime)
            .ok_or_else(|| no_runtime(Error::not_found("runtime", runtime), runtime))?;
        let tasks = rows.into_iter().filter_map(|(_, candidate)| candidate).collect();
        Ok(Self { ended, limit, workspace, needs_sign_of_life, has_deferred, tasks })
    }

    /// As [`Candidates::find`], without the turns of the chats in `held`.
    fn find_without(
        held: &[Uuid],
        runtime: Uuid,
        agents: Option<Vec<Uuid>>,
        limit: i64,
        now: TimestampWithTimeZone,
    ) -> Result<Self> {
        let mut found = Self::find(runtime, agents, if held.is_empty() { limit } else { MAX_TASKS }, now)?;
        found.tasks.retain(|candidate| candidate.chat.is_none_or(|chat| !held.contains(&chat)));
        found.tasks.truncate(limit as usize);
        Ok(found)
    }

    /// Locks the agents of the candidates without waiting, and returns those that it could lock.
    fn lock_agents(&self) -> Vec<Uuid> {
        let mut agents = self.agents();
        agents.sort_unstable();
        lock_set::try_agents(&agents)
    }

    /// Locks the best agent that can be locked without waiting; if there is none, waits for the best agent. The caller
    /// holds no lock yet.
    fn lock_an_agent(&self) -> Result<Vec<Uuid>> {
        let agents = self.agents();
        for agent in &agents {
            let locked = lock_set::try_agents(&[*agent]);
            if !locked.is_empty() {
                return Ok(locked);
            }
        }
        let best: Vec<Uuid> = agents.into_iter().take(1).collect();
        LockSet { agents: best.clone(), ..LockSet::default() }.acquire()?;
        Ok(best)
    }

    /// Returns the candidates that were read without locks, if a search under the locks would return the same: all
    /// their agents are locked, and no transaction that may have changed anything has ended since.
    fn if_current(self, agents: &[Uuid], limit: i64) -> Option<Self> {
        let is_current =
            self.limit == limit && self.agents().len() == agents.len() && snapshot::ended_transactions() == self.ended;
        is_current.then_some(self)
    }

    /// Returns the agents of the candidates, best first.
    fn agents(&self) -> Vec<Uuid> {
        let mut agents: Vec<Uuid> = Vec::new();
        for candidate in &self.tasks {
            if !agents.contains(&candidate.agent) {
                agents.push(candidate.agent);
            }
        }
        agents
    }

    /// Locks the chats of the candidates of these agents without waiting, because chats come before agents in the order
    /// of locks. Returns those that it could lock, and adds the others to `held`.
    fn lock_chats(&self, agents: &[Uuid], held: &mut Vec<Uuid>) -> Vec<Uuid> {
        let tasks = self.tasks.iter();
        let of_agents = tasks.filter(|candidate| agents.contains(&candidate.agent));
        let chats: Vec<Uuid> = of_agents.filter_map(|candidate| candidate.chat).collect();
        if chats.is_empty() {
            return chats;
        }
        let locked = lock_set::try_chat_sessions(chats.clone());
        held.extend(chats.into_iter().filter(|chat| !locked.contains(chat)));
        locked
    }
}

/// Claims up to `max_tasks` tasks of a runtime: first redeliveries of tasks that it claimed and never started, then the
/// best queued tasks.
#[pg_extern(name = "multica_claim")]
#[search_path(@extschema@, pg_temp)]
fn multica_claim_since_0_4(
    runtime_id: Option<Uuid>,
    max_tasks: default!(Option<i32>, "1"),
    incarnation: default!(Option<Uuid>, "NULL"),
) -> SetOfIterator<'static, Composite<Claimed>> {
    call(|call| claim_tasks(runtime_id, max_tasks, incarnation, call))
}

/// Claims tasks of a runtime, for a process with this incarnation if one is given.
pub fn claim_tasks(
    runtime_id: Option<Uuid>,
    max_tasks: Option<i32>,
    incarnation: Option<Uuid>,
    call: &mut Call,
) -> Result<SetOfIterator<'static, Composite<Claimed>>> {
    compatibility::require(&[compatibility::CLAIMING])?;
    let runtime = required("runtime_id", runtime_id)?;
    let limit = match required("max_tasks", max_tasks)? {
        negative if negative < 0 => {
            let problem = format!("{negative} is below 0");
            let hint = format!("Pass 0 or more; a value above {MAX_TASKS} means {MAX_TASKS}.");
            return Err(Error::invalid("max_tasks", problem, hint));
        }
        limit => i64::from(limit).min(MAX_TASKS),
    };
    let check = || incarnation.map_or(Ok(()), |process| incarnation::check(runtime, process));
    check()?;
    let now = call.now();
    let mut candidates = Candidates::find(runtime, None, limit, now)?;
    // The runtime comes before the agents in the order of locks. A trigger on it may change what can be claimed.
    let is_revived = candidates.needs_sign_of_life;
    if is_revived {
        liveness::mark_online(vec![runtime], call);
        // It may have waited for a registration.
        check()?;
    }
    let is_promoted = candidates.has_deferred && promote(runtime, call);
    if is_promoted || (is_revived && !candidates.tasks.is_empty()) {
        candidates = Candidates::find(runtime, None, limit, now)?;
    }
    let holds_others_up = is_revived || is_promoted;
    let mut held = Vec::new();
    let mut claimed = Vec::new();
    for at in 0..MAX_ROUNDS {
        let mut agents = candidates.lock_agents();
        if agents.is_empty() && at == 0 && !holds_others_up && !candidates.tasks.is_empty() {
            candidates = Candidates::find(runtime, None, MAX_TASKS, now)?;
            agents = candidates.lock_an_agent()?;
        }
        if agents.is_empty() {
            break;
        }
        // A registration by another process now waits for this claim, or it is committed and the claim is refused.
        if let Some(process) = incarnation {
            incarnation::hold(runtime, process)?;
        }
        let chats = candidates.lock_chats(&agents, &mut held);
        let current = candidates.if_current(&agents, limit);
        let waits_for_nothing = holds_others_up || incarnation.is_some();
        let locked = Locked { agents: &agents, chats: &chats, held: &held, waits_for_nothing, incarnation };
        claimed = claim(runtime, &locked, limit, current, call)?;
        if !claimed.is_empty() {
            break;
        }
        candidates = Candidates::find_without(&held, runtime, None, limit, now)?;
    }
    Ok(set(claimed))
}

/// Queues the deferred tasks of the runtime that are due, and cancels those that are superseded. Returns whether a task
/// changed. A task that a trigger or constraint of a user refuses stays deferred, and the others can still be claimed.
fn promote(runtime: Uuid, call: &mut Call) -> bool {
    let fresh = thresholds::stale_after().secs;
    let found = promotion::candidates(Some(runtime), fresh, Vec::new(), MAX_TASKS, call.now());
    if found.is_empty() {
        return false;
    }
    many_rows::write(&found, !deferred::is_pending_before(), |piece| call.part(|part| promotion::promote(piece, part)))
        > 0
}

/// What a claim holds while it chooses tasks.
struct Locked<'a> {
    /// Agents that it has locked.
    agents: &'a [Uuid],
    /// Chats that it has locked.
    chats: &'a [Uuid],
    /// Chats that other sessions hold.
    held: &'a [Uuid],
    /// Whether it holds rows for which heartbeats or registrations wait, and therefore waits for no row: it has set its
    /// runtime online, queued deferred tasks, or locked its incarnation.
    waits_for_nothing: bool,
    /// The incarnation of the process, if it has passed one.
    incarnation: Option<Uuid>,
}

/// Claims tasks. They are chosen again under the locks, unless the earlier choice is still `current`. Tasks of a
/// workspace other than the runtime's, and tasks whose chat or run was deleted, are cancelled instead, and then the
/// tasks to claim are chosen once more. One search cancels at most [`MAX_TASKS`] such tasks, and for each agent at most
/// as many as the agent has room for.
fn claim(
    runtime: Uuid,
    locked: &Locked,
    limit: i64,
    current: Option<Candidates>,
    call: &mut Call,
) -> Result<Vec<Composite<Claimed>>> {
    let now = call.now();
    // Turns of a chat that is not locked are left out, because the second search may find other chats than the first.
    let of_locked = |mut found: Candidates| -> Candidates {
        found.tasks.retain(|candidate| candidate.chat.is_none_or(|chat| locked.chats.contains(&chat)));
        found
    };
    let choose = |limit| -> Result<Candidates> {
        Candidates::find_without(locked.held, runtime, Some(locked.agents.to_vec()), limit, now).map(of_locked)
    };
    let mut candidates = match current {
        Some(candidates) => of_locked(candidates),
        None => choose(limit)?,
    };
    if candidates.tasks.iter().any(|candidate| candidate.is_void) {
        let all = choose(MAX_TASKS)?.tasks.into_iter();
        let void: Vec<Uuid> = all.filter(|candidate| candidate.is_void).map(|candidate| candidate.task).collect();
        cancel(lock_set::try_tasks(&try_rows_of(void)), call);
        candidates = choose(limit)?;
        candidates.tasks.retain(|candidate| !candidate.is_void);
    }
    let mut chosen: Vec<Uuid> = candidates.tasks.iter().map(|candidate| candidate.task).collect();
    if locked.waits_for_nothing {
        chosen = try_rows_of(chosen);
    }
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let args = [arg(chosen), arg(now), arg(runtime), arg(candidates.workspace)];
    let mut tell = TaskSnapshot::reader();
    let claimed = CLAIM.rows(&args, |row| {
        let told = tell(row).within(Some(candidates.workspace));
        let told = told.with_context(row.column::<Jsonb>("context").is_some());
        let token = row.column("dispatched_at").map(claim_token::of);
        (told, Composite::from_row_and(row, &[("claim_token", arg(token))]))
    });
    let (told, rows): (Vec<_>, Vec<_>) = claimed.into_iter().unzip();
    if let Some(process) = locked.incarnation {
        incarnation::record_claim(told.iter().map(TaskSnapshot::id).collect(), process);
    }
    let candidate_of = |task: Uuid| candidates.tasks.iter().find(|candidate| candidate.task == task);
    let woken = told.iter().filter_map(|task| candidate_of(task.id())).filter(|candidate| candidate.wakes_agent);
    let agents: Vec<Uuid> = woken.map(|candidate| candidate.agent).collect();
    if !agents.is_empty() {
        for agent in WAKE.rows(&[arg(agents), arg(now)], |row| row.must(1)) {
            call.agent_status(agent);
        }
    }
    for task in &told {
        if candidate_of(task.id()).is_some_and(|candidate| candidate.queued) {
            call.task_dispatched(task);
        }
    }
    Ok(rows)
}

/// Locks tasks without waiting, and returns those that it could lock, in the same order.
fn try_rows_of(mut tasks: Vec<Uuid>) -> Vec<Uuid> {
    if !tasks.is_empty() {
        let held = LockSet { tasks: tasks.clone(), ..LockSet::default() }.try_rows().tasks;
        tasks.retain(|task| !held.contains(task));
    }
    tasks
}
