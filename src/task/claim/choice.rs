//! The choice of a claim under its locks, and what it writes. Another call that hands out a given task can use it with
//! [`Search::only`].

use std::collections::HashMap;

use pgrx::Uuid;

use super::MAX_TASKS;
use super::search::{Candidate, Candidates, Search};
use super::transcript;
use crate::error::Error;
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::event::{Call, TaskSnapshot};
use crate::lifecycle::incarnation;
use crate::lifecycle::lock_set::{self, LockSet};
use crate::lifecycle::sessions::{self, Prior};
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::settings;
use crate::task::claim_token;
use crate::types::Claimed;

static DISPATCH: Statement = Statement::volatile(sql!("task/claim/dispatch.sql")).by_id();
static WAKE: Statement = Statement::volatile(sql!("task/claim/wake_agents.sql")).by_id();

/// What a claim holds while it chooses tasks.
pub struct Locked<'a> {
    /// Agents that it has locked.
    pub agents: &'a [Uuid],
    /// Chats that it has locked.
    pub chats: &'a [Uuid],
    /// Whether it holds rows for which heartbeats, registrations or other claims wait, and therefore waits for no row: it
    /// has set its runtime online, queued deferred tasks, or locked its incarnation or a limit.
    pub waits_for_nothing: bool,
    /// The incarnation of the process, if it has passed one.
    pub incarnation: Option<Uuid>,
}

/// Claims tasks. They are chosen again under the locks, unless the earlier choice is still `current`. Tasks of a
/// workspace other than the runtime's, and tasks whose chat or run was deleted, are cancelled instead, and then the
/// tasks to claim are chosen once more. One search cancels at most [`MAX_TASKS`] such tasks, and for each agent at most
/// as many as the agent has room for.
pub fn claim(
    search: &Search,
    locked: &Locked,
    current: Option<Candidates>,
    call: &mut Call,
) -> Vec<Composite<Claimed>> {
    // Turns of a chat that is not locked are left out, because the second search may find other chats than the first.
    let of_locked = |mut found: Candidates| -> Vec<Candidate> {
        found.tasks.retain(|candidate| candidate.chat.is_none_or(|chat| locked.chats.contains(&chat)));
        found.tasks
    };
    let choose = |limit| of_locked(Search { agents: Some(locked.agents), limit, ..search.clone() }.run());
    let mut chosen = match current {
        Some(candidates) => of_locked(candidates),
        None => choose(search.limit),
    };
    if chosen.iter().any(|candidate| candidate.is_void) {
        let all = choose(MAX_TASKS).into_iter();
        let void: Vec<Uuid> = all.filter(|candidate| candidate.is_void).map(|candidate| candidate.task).collect();
        cancel(lock_set::try_tasks(&try_rows_of(void)), call);
        chosen = choose(search.limit);
        chosen.retain(|candidate| !candidate.is_void);
    }
    let mut tasks: Vec<Uuid> = chosen.iter().map(|candidate| candidate.task).collect();
    if locked.waits_for_nothing {
        tasks = try_rows_of(tasks);
        chosen.retain(|candidate| tasks.contains(&candidate.task));
    }
    if tasks.is_empty() {
        return Vec::new();
    }
    dispatch(search, &chosen, locked.incarnation, call)
}

/// Sets the tasks dispatched, and returns them in the same order.
fn dispatch(
    search: &Search,
    chosen: &[Candidate],
    incarnation: Option<Uuid>,
    call: &mut Call,
) -> Vec<Composite<Claimed>> {
    let resuming: Vec<Uuid> =
        chosen.iter().filter(|candidate| candidate.may_resume).map(|candidate| candidate.task).collect();
    let prior = if resuming.is_empty() { HashMap::new() } else { sessions::prior(resuming) };
    let place_of: HashMap<Uuid, usize> =
        chosen.iter().enumerate().map(|(place, candidate)| (candidate.task, place)).collect();
    let lease = Some(settings::prepare_lease_secs()).filter(|secs| *secs > 0.0);
    let args = [
        arg(chosen.iter().map(|candidate| candidate.task).collect::<Vec<_>>()),
        arg(search.now),
        arg(search.runtimes.to_vec()),
        arg(settings::redeliver_after_secs()),
        arg(lease),
    ];
    let none = Prior::default();
    let mut tell = TaskSnapshot::reader();
    let mut claimed = DISPATCH.rows(&args, |row| {
        let told = tell(row);
        let place = *place_of.get(&told.id()).unwrap_or_else(|| {
            let what = format!("task {} could not be dispatched", told.id());
            Error::kept_out(what, "A trigger on agent_task_queue changes its id.").raise()
        });
        let workspace = chosen[place].workspace;
        let told = told.within(Some(workspace)).with_context(row.column::<Jsonb>("context").is_some());
        let Prior { session, work_dir } = prior.get(&told.id()).unwrap_or(&none);
        let values = [
            ("workspace_id", arg(workspace)),
            ("prior_session_id", arg(session.clone())),
            ("prior_work_dir", arg(work_dir.clone())),
            ("claim_token", arg(row.column("dispatched_at").map(claim_token::of))),
        ];
        (place, told, Composite::from_row_and(row, &values))
    });
    claimed.sort_unstable_by_key(|(place, ..)| *place);
    let (places, (told, rows)): (Vec<_>, (Vec<_>, Vec<_>)) =
        claimed.into_iter().map(|(place, told, row)| (place, (told, row))).unzip();
    let claimed: Vec<&Candidate> = places.into_iter().map(|place| &chosen[place]).collect();
    if let Some(process) = incarnation {
        incarnation::record_claim(claimed.iter().map(|candidate| candidate.task).collect(), process);
    }
    transcript::follow(&claimed, search.now);
    for (_, told) in claimed.iter().zip(&told).filter(|(candidate, _)| candidate.is_queued) {
        call.task_dispatched(told);
    }
    let woken = claimed.iter().filter(|candidate| candidate.wakes_agent);
    let woken: Vec<Uuid> = woken.map(|candidate| candidate.agent).collect();
    if !woken.is_empty() {
        for agent in WAKE.rows(&[arg(woken), arg(search.now)], |row| row.must(1)) {
            call.agent_status(agent);
        }
    }
    rows
}

/// Locks tasks without waiting, and returns those that it could lock, in the same order.
fn try_rows_of(mut tasks: Vec<Uuid>) -> Vec<Uuid> {
    if !tasks.is_empty() {
        let held = LockSet { tasks: tasks.clone(), ..LockSet::default() }.try_rows().tasks;
        tasks.retain(|task| !held.contains(task));
    }
    tasks
}
