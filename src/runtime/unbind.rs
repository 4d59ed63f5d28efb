//! Deletes a runtime and keeps its agents, which have no runtime then.

use pgrx::Uuid;

use super::delete::{Deleted, Deletion, count_tasks, ids, open_of_unbound};
use crate::error::{Error, Result};
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::event::Call;
use crate::lifecycle::features::Feature;
use crate::lifecycle::lock_set::{self, LockSet};
use crate::lifecycle::merge::with_users;
use crate::lifecycle::system_agents::with_system_agents;
use crate::lifecycle::verdict::verdict;
use crate::lifecycle::{consequences, history};
use crate::postgres::refusal::unless_referred_to;
use crate::postgres::statement::{Statement, arg};

static OPEN_OF_AGENTS: Statement = Statement::volatile(sql!("runtime/open_tasks_of_agents.sql"));
static IN_FLIGHT_OF_OTHERS: Statement = Statement::volatile(sql!("runtime/in_flight_of_others.sql"));
static AUTOPILOTS: Statement = Statement::volatile(sql!("runtime/lock_autopilots_of_agents.sql"));
static UNBIND: Statement = Statement::volatile(sql!("runtime/unbind_agents.sql"));
static LEAVE_SQUADS: Statement = Statement::volatile(sql!("runtime/leave_squads.sql"));
static DELETE_SYSTEM_AGENTS: Statement = Statement::volatile(sql!("runtime/delete_system_agents.sql"));
static PAUSE: Statement = Statement::volatile(sql!("runtime/pause_autopilots.sql"));

/// Whether agents are unbound when their runtime is deleted: where the server does the same. Tables that install made
/// allow it too, but an application may rely on every agent having a runtime.
pub fn is_possible() -> bool {
    Feature::Unbound.is_present() && !Feature::Own.is_present()
}

/// Returns the tasks that cannot go on without the runtime: the open tasks of its agents, and those on it whose agents
/// have no runtime.
fn cancelled(runtime: Uuid) -> Vec<Uuid> {
    let mut tasks = ids(&OPEN_OF_AGENTS, runtime);
    tasks.extend(open_of_unbound(runtime));
    tasks
}

fn lock(deletion: &Deletion) -> Result<()> {
    let runtime = deletion.runtime;
    lock_set::acquire_with_runtimes_or_fail(&[runtime], || {
        let mut ending = cancelled(runtime);
        ending.extend(ids(&IN_FLIGHT_OF_OTHERS, runtime));
        let mut wanted = with_users(&[runtime], LockSet::of_tasks(ending).with_written(deletion.workspace, &[runtime]));
        wanted.runtimes.extend(deletion.homes());
        wanted.runtimes.extend(deletion.into);
        wanted.chat_sessions.extend(history::chats_of(runtime));
        with_system_agents(&[runtime], &[runtime], wanted)
    })
}

/// Locks the active autopilots of the agents and returns them. They have no place in the order of locks, so the call
/// waits for none.
fn lock_autopilots(runtime: Uuid) -> Result<Vec<Uuid>> {
    let all: Vec<(Uuid, bool)> =
        AUTOPILOTS.rows(&[arg(runtime)], |row| (row.required("id"), row.required("is_locked")));
    match all.iter().find(|(_, is_locked)| !is_locked) {
        None => Ok(all.into_iter().map(|(id, _)| id).collect()),
        Some((held, _)) => Err(Error::conflict(
            "another session holds an autopilot of an agent of the runtime",
            format!("The autopilot is {held}."),
        )),
    }
}

/// Deletes the runtime. The open tasks of its agents are cancelled, tasks in flight of agents that are bound to another
/// runtime are failed. Its agents are unbound and their autopilots are paused; the agents that the server made for it
/// are deleted. Its tasks are kept: those of agents that are bound to another runtime follow these agents, the others
/// go to the runtime that the call names, or lose their runtime.
pub fn delete_without_agents(deletion: &Deletion, call: &mut Call) -> Result<Deleted> {
    let runtime = deletion.runtime;
    lock(deletion)?;
    deletion.check()?;
    let autopilots = lock_autopilots(runtime)?;

    deletion.announce(call);
    let cancelled = cancel(cancelled(runtime), call);
    verdict(ids(&IN_FLIGHT_OF_OTHERS, runtime), &consequences::RUNTIME_OFFLINE, call);
    consequences::reset_issues(&cancelled, call);

    let unbound: Vec<Uuid> = UNBIND.rows(&[arg(runtime), arg(call.now())], |row| row.must(1));
    for agent in &unbound {
        call.agent_status(*agent);
    }
    let paused: Vec<(Uuid, String)> = match autopilots.is_empty() {
        true => Vec::new(),
        false => PAUSE
            .rows(&[arg(autopilots), arg(call.now())], |row| (row.required("workspace_id"), row.required("payload"))),
    };
    for (workspace, payload) in &paused {
        call.autopilot_paused(*workspace, payload.clone());
    }
    let moved = history::move_all(runtime);
    let detached = history::detach_all(runtime, deletion.into);
    // Recorded before rows are deleted, because the events describe the tasks as they are in the tables.
    call.record();
    let tasks = count_tasks(runtime);
    if Feature::Squad.is_present() && Feature::SystemAgents.is_present() {
        LEAVE_SQUADS.run(&[arg(runtime)]);
    }
    let agents = unless_referred_to("a system agent of the runtime", || DELETE_SYSTEM_AGENTS.run(&[arg(runtime)]));
    deletion.delete()?;
    Ok(Deleted {
        agents: agents as i64,
        tasks,
        kept: (moved + detached) as i64,
        unbound: unbound.len() as i64,
        paused: paused.len() as i64,
    })
}
