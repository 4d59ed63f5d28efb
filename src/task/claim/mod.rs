//! The calls by which runtimes claim tasks.
//!
//! The lock on an agent's row protects the agent's capacity and its pairs of issue and agent. Therefore tasks that were
//! chosen without locks are chosen again under the locks, in a fresh snapshot. Agents and chat sessions that other
//! sessions hold are skipped. Only if all agents are held, the call waits for one, and only while it holds no other
//! lock: a call that has set its runtime online waits for nothing, because the heartbeats of its machine would wait
//! too. Neither does a call that has queued deferred tasks, because it holds their rows, or one that holds a limit,
//! because the claims of other machines would wait.

mod choice;
mod search;
mod transcript;

use choice::{Locked, claim};
use pgrx::Uuid;
use pgrx::prelude::*;
use search::Search;

use crate::argument::{elements, required};
use crate::error::{Error, Result};
use crate::lifecycle::claim_limits;
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::existence::no_runtime;
use crate::lifecycle::incarnation;
use crate::lifecycle::liveness;
use crate::lifecycle::many_rows;
use crate::lifecycle::promotion;
use crate::lifecycle::thresholds;
use crate::postgres::composite::{Composite, set};
use crate::postgres::deferred;
use crate::types::Claimed;

extension_sql_file!(
    "../../../sql/extension/comments/claim.sql",
    name = "claim_comments",
    requires = [multica_claim_since_0_4, multica_claim_many]
);

/// How many tasks one call claims at most.
const MAX_TASKS: i64 = 100;
/// How often a claim chooses tasks at most, if other sessions take the chosen tasks in the meantime.
const MAX_ROUNDS: usize = 3;

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

/// Claims up to `max_tasks` tasks of several runtimes together, the best ones first. A runtime that does not exist has no
/// tasks.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_claim_many(
    runtime_ids: Option<Vec<Option<Uuid>>>,
    max_tasks: default!(Option<i32>, "1"),
    incarnation: default!(Option<Uuid>, "NULL"),
) -> SetOfIterator<'static, Composite<Claimed>> {
    call(|call| {
        let mut runtimes = elements("runtime_ids", runtime_ids)?;
        runtimes.sort_unstable();
        runtimes.dedup();
        let claimed = claim_of(&runtimes, limit(max_tasks)?, incarnation, call)?;
        Ok(set(claimed.unwrap_or_default()))
    })
}

/// Claims tasks of a runtime, for a process with this incarnation if one is given.
pub fn claim_tasks(
    runtime_id: Option<Uuid>,
    max_tasks: Option<i32>,
    incarnation: Option<Uuid>,
    call: &mut Call,
) -> Result<SetOfIterator<'static, Composite<Claimed>>> {
    let runtime = required("runtime_id", runtime_id)?;
    let claimed = claim_of(&[runtime], limit(max_tasks)?, incarnation, call)?;
    claimed.map(set).ok_or_else(|| no_runtime(Error::not_found("runtime", runtime), runtime))
}

fn limit(max_tasks: Option<i32>) -> Result<i64> {
    match required("max_tasks", max_tasks)? {
        negative if negative < 0 => {
            let problem = format!("{negative} is below 0");
            let hint = format!("Pass 0 or more; a value above {MAX_TASKS} means {MAX_TASKS}.");
            Err(Error::invalid("max_tasks", problem, hint))
        }
        limit => Ok(i64::from(limit).min(MAX_TASKS)),
    }
}

/// Claims at most `limit` tasks of the runtimes, which are in the order of their ids. Returns None if none of them
/// exists.
fn claim_of(
    runtimes: &[Uuid],
    limit: i64,
    incarnation: Option<Uuid>,
    call: &mut Call,
) -> Result<Option<Vec<Composite<Claimed>>>> {
    let check = || incarnation.map_or(Ok(()), |process| incarnation::check_all(runtimes, process));
    check()?;
    let search = Search {
        runtimes,
        now: call.now(),
        limit,
        agents: None,
        only: None,
        held_chats: &[],
        limits: None,
        before_sign_of_life: false,
    };
    let mut candidates = Search { before_sign_of_life: true, ..search.clone() }.run();
    if candidates.known().next().is_none() {
        return Ok(None);
    }
    // The runtimes come before the agents in the order of locks. A trigger on them may change what can be claimed.
    let silent = candidates.silent();
    let is_revived = !silent.is_empty();
    if is_revived {
        revive(silent, call);
        // It may have waited for a registration.
        check()?;
    }
    // A promotion records its events itself, after that of the runtime.
    call.record();
    let is_promoted = promote(candidates.with_deferred(), call);
    if is_promoted || (is_revived && !candidates.tasks.is_empty()) {
        candidates = search.run();
    }
    let holds_others_up = is_revived || is_promoted;
    let mut held_chats = Vec::new();
    let mut claimed = Vec::new();
    for at in 0..MAX_ROUNDS {
        let limits = candidates.limits();
        let is_limited = !limits.is_empty();
        let limits = claim_limits::hold(limits, at == 0 && !holds_others_up);
        let mut agents = candidates.lock_agents();
        if agents.is_empty() && at == 0 && !holds_others_up && !is_limited && !candidates.tasks.is_empty() {
            candidates = Search { limit: MAX_TASKS, ..search.clone() }.run();
            agents = candidates.lock_an_agent()?;
        }
        if agents.is_empty() {
            break;
        }
        // A registration by another process now waits for this claim, or it is committed and the claim is refused.
        if let Some(process) = incarnation {
            incarnation::hold_all(runtimes, process)?;
        }
        let chats = candidates.lock_chats(&agents, &mut held_chats);
        let current = candidates.if_current(&agents, &limits, limit);
        let waits_for_nothing = holds_others_up || is_limited || incarnation.is_some();
        let locked = Locked { agents: &agents, chats: &chats, waits_for_nothing, incarnation };
        let search = Search { held_chats: &held_chats, limits: Some(&limits), ..search.clone() };
        claimed = claim(&search, &locked, current, call);
        if !claimed.is_empty() {
            break;
        }
        candidates = Search { limits: None, ..search }.run();
    }
    Ok(Some(claimed))
}

/// Sets the runtimes online, as their claim is a sign of life. If there are several, one that a trigger or constraint of
/// a user refuses does not prevent the claims of the others.
fn revive(runtimes: Vec<Uuid>, call: &mut Call) {
    if runtimes.len() == 1 {
        liveness::revive(runtimes, call);
    } else {
        many_rows::write(&runtimes, !deferred::is_pending_before(), |runtimes| {
            call.part(|part| liveness::revive(runtimes.to_vec(), part))
        });
    }
}

/// Queues the deferred tasks of the runtimes that are due, and cancels those that are superseded. Returns whether a task
/// changed. A task that a trigger or constraint of a user refuses stays deferred, and the others can still be claimed.
fn promote(runtimes: impl Iterator<Item = Uuid>, call: &mut Call) -> bool {
    let fresh = thresholds::stale_after().secs;
    let due =
        runtimes.flat_map(|runtime| promotion::candidates(Some(runtime), fresh, Vec::new(), MAX_TASKS, call.now()));
    let found: Vec<Uuid> = due.collect();
    if found.is_empty() {
        return false;
    }
    many_rows::write(&found, !deferred::is_pending_before(), |piece| call.part(|part| promotion::promote(piece, part)))
        > 0
}
