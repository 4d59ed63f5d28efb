//! The calls that delete a runtime or its archived agents for a user.

use std::collections::BTreeSet;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::unbind;
use crate::argument::{optional_elements, required};
use crate::error::{Error, Result};
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::compatibility::{DELETING_AGENTS, require};
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::existence::{no_runtime, workspace_of};
use crate::lifecycle::features::Feature;
use crate::lifecycle::lock_set::{self, LockSet};
use crate::lifecycle::merge::{delete_runtimes, with_users};
use crate::lifecycle::verdict::verdict;
use crate::lifecycle::{consequences, history};
use crate::postgres::composite::Composite;
use crate::postgres::refusal::unless_referred_to;
use crate::postgres::statement::{Statement, arg};
use crate::types::RuntimeDeleted;

static ACTIVE_AGENTS: Statement = Statement::volatile(sql!("runtime/active_agents.sql"));
static IN_FLIGHT: Statement = Statement::volatile(sql!("runtime/in_flight_of.sql"));
static IN_FLIGHT_OF_ARCHIVED: Statement = Statement::volatile(sql!("runtime/in_flight_of_archived.sql"));
static WAITING_OF_ARCHIVED: Statement = Statement::volatile(sql!("runtime/waiting_of_archived.sql"));
static OPEN_OF_UNBOUND: Statement = Statement::volatile(sql!("runtime/open_tasks_of_unbound.sql"));
static OF_ARCHIVED: Statement = Statement::volatile(sql!("runtime/rows_of_archived.sql"));
static HOMES: Statement = Statement::volatile(sql!("runtime/current_runtimes_of_agents.sql"));
static COUNT_TASKS: Statement = Statement::volatile(sql!("runtime/count_tasks_of_bound.sql"));
static DELETE_ARCHIVED: Statement = Statement::volatile(sql!("runtime/delete_archived_agents.sql"));

extension_sql_file!(
    "../../sql/extension/comments/delete.sql",
    name = "delete_comments",
    requires = [multica_delete_runtime_since_0_4, multica_delete_archived_agents]
);

/// What a user wants to be deleted.
pub struct Deletion {
    /// The runtime.
    pub runtime: Uuid,
    /// Its workspace.
    pub workspace: Uuid,
    /// The runtime that gets the history of the agents that have no runtime then.
    pub into: Option<Uuid>,
    /// The active agents that the user has agreed to unbind; None if the user was not asked.
    confirmed: Option<BTreeSet<Uuid>>,
}

/// What was deleted and kept, as in `multica_runtime_deleted`.
#[derive(Default)]
pub struct Deleted {
    /// Agents deleted.
    pub agents: i64,
    /// Their tasks.
    pub tasks: i64,
    /// Tasks that no longer refer to the runtime.
    pub kept: i64,
    /// Agents that have no runtime now.
    pub unbound: i64,
    /// Autopilots paused.
    pub paused: i64,
}

impl Deletion {
    fn read(
        runtime_id: Option<Uuid>,
        expected_agents: Option<Vec<Option<Uuid>>>,
        into_runtime_id: Option<Uuid>,
    ) -> Result<Self> {
        let runtime = required("runtime_id", runtime_id)?;
        let confirmed = optional_elements("expected_agents", expected_agents)?;
        let workspace = workspace_of(runtime)?;
        let deletion = Self {
            runtime,
            workspace,
            into: into_runtime_id,
            confirmed: confirmed.map(|ids| ids.into_iter().collect()),
        };
        if into_runtime_id == Some(runtime) {
            return Err(Error::invalid(
                "into_runtime_id",
                "it is the runtime that is to be deleted",
                "Pass another runtime of the workspace, or NULL.",
            ));
        }
        if into_runtime_id.is_some() && !Feature::Unbound.is_present() {
            return Err(Error::invalid(
                "into_runtime_id",
                "agents of this database always have a runtime, so that no history is left to be moved",
                "Leave the argument out.",
            ));
        }
        deletion.check()?;
        Ok(deletion)
    }

    /// Checks, before and after the locks are taken, that both runtimes exist, and that the active agents are those that
    /// the user has confirmed.
    pub fn check(&self) -> Result<()> {
        let Self { runtime, workspace, .. } = *self;
        workspace_of(runtime)?;
        if let Some(into) = self.into
            && workspace_of(into)? != workspace
        {
            let place = format!("workspace {workspace}, the workspace of runtime {runtime}");
            return Err(no_runtime(Error::not_found_in("runtime", into, place), into));
        }
        let active: BTreeSet<Uuid> = ids(&ACTIVE_AGENTS, runtime).into_iter().collect();
        match &self.confirmed {
            Some(confirmed) if *confirmed != active => Err(Error::InUse {
                message: format!("the active agents of runtime {runtime} are not those in expected_agents"),
                detail: format!(
                    "The plan has changed: the number of agents that are bound to it and not archived is {} now.",
                    active.len()
                ),
                hint: "Show the user these agents, and call again with their ids.".to_string(),
            }),
            Some(_) if unbind::is_possible() => Ok(()),
            _ if active.is_empty() => Ok(()),
            _ => Err(Error::InUse {
                message: format!("runtime {runtime} still has active agents"),
                detail: format!("The number of agents that are bound to it and not archived is {}.", active.len()),
                hint: match unbind::is_possible() {
                    true => "Archive these agents, bind them to another runtime, or pass their ids as expected_agents.",
                    false => "Archive these agents or bind them to another runtime first.",
                }
                .to_string(),
            }),
        }
    }

    /// Returns the runtimes to which the agents are bound that have tasks on the runtime, without the runtime itself.
    pub fn homes(&self) -> Vec<Uuid> {
        ids(&HOMES, self.runtime)
    }

    /// Announces the deletion, which is the cause of everything that the call does to agents and tasks.
    pub fn announce(&self, call: &mut Call) {
        call.runtimes("delete", [(self.workspace, self.runtime)]);
    }

    /// Deletes the runtime itself, which no agent is bound to any more.
    pub fn delete(&self) -> Result<()> {
        let runtime = self.runtime;
        let deleted = unless_referred_to(format!("runtime {runtime}"), || delete_runtimes(vec![runtime]));
        if deleted.is_empty() {
            return Err(Error::kept_out(
                format!("runtime {runtime} could not be deleted"),
                "A trigger on agent_runtime keeps the row.",
            ));
        }
        Ok(())
    }
}

/// Runs a statement that returns the ids of what is on a runtime.
pub fn ids(statement: &Statement, runtime: Uuid) -> Vec<Uuid> {
    statement.rows(&[arg(runtime)], |row| row.must(1))
}

/// Returns the open tasks on a runtime whose agents have no runtime.
pub fn open_of_unbound(runtime: Uuid) -> Vec<Uuid> {
    match Feature::Unbound.is_present() {
        true => ids(&OPEN_OF_UNBOUND, runtime),
        false => Vec::new(),
    }
}

/// Returns how many tasks the agents have that are bound to a runtime.
pub fn count_tasks(runtime: Uuid) -> i64 {
    COUNT_TASKS.row(&[arg(runtime)], |row| row.must(1)).unwrap_or_default()
}

/// Which agents of a runtime are deleted with everything that belongs to them.
#[derive(Clone, Copy)]
struct Leaving {
    /// Whether the runtime is deleted too, and therefore its system agents.
    with_system: bool,
    /// Returns the tasks in flight that are failed.
    in_flight: &'static Statement,
}

const OF_RUNTIME: Leaving = Leaving { with_system: true, in_flight: &IN_FLIGHT };
const ARCHIVED: Leaving = Leaving { with_system: false, in_flight: &IN_FLIGHT_OF_ARCHIVED };

impl Leaving {
    /// Returns the tasks that are cancelled: those of the agents that no daemon has yet. With the runtime, the open
    /// tasks of agents that have no runtime end too, and these agents stay.
    fn cancelled(self, runtime: Uuid) -> Vec<Uuid> {
        let mut tasks: Vec<Uuid> = WAITING_OF_ARCHIVED.rows(&[arg(runtime), arg(self.with_system)], |row| row.must(1));
        if self.with_system {
            tasks.extend(open_of_unbound(runtime));
        }
        tasks
    }

    /// Locks every row that the deletion writes, and every row that is written when tasks are ended before it: the
    /// tasks that are cancelled and the tasks in flight. The chat sessions and tasks of the agents are deleted with
    /// them. `keeping` adds the rows that are needed to move the tasks that are kept.
    fn lock(self, workspace: Uuid, runtime: Uuid, keeping: impl Fn(&mut LockSet)) -> Result<()> {
        lock_set::acquire_with_runtimes_or_fail(&[runtime], || {
            let mut ending = ids(self.in_flight, runtime);
            ending.extend(self.cancelled(runtime));
            let mut wanted = with_users(&[runtime], LockSet::of_tasks(ending).with_written(workspace, &[runtime]));
            let args = [arg(runtime), arg(self.with_system)];
            let deleted: Option<(Vec<Uuid>, Vec<Uuid>)> = OF_ARCHIVED.row(&args, |row| {
                (row.column("chat_sessions").unwrap_or_default(), row.column("tasks").unwrap_or_default())
            });
            let (chats, tasks) = deleted.unwrap_or_default();
            wanted.chat_sessions.extend(chats);
            wanted.tasks.extend(tasks);
            keeping(&mut wanted);
            wanted
        })
    }

    /// Ends the tasks of the agents and the tasks in flight, with all consequences: tasks that no daemon has are
    /// cancelled, tasks in flight are failed, and no issue stays in progress without a task. The caller holds the locks of
    /// [`Leaving::lock`].
    fn end_work(self, runtime: Uuid, call: &mut Call) {
        let cancelled = cancel(self.cancelled(runtime), call);
        let in_flight = ids(self.in_flight, runtime);
        verdict(in_flight, &consequences::RUNTIME_OFFLINE, call);
        consequences::reset_issues(&cancelled, call);
    }

    fn delete(self, runtime: Uuid) -> i64 {
        let delete = || DELETE_ARCHIVED.run(&[arg(runtime), arg(self.with_system)]);
        unless_referred_to("an archived agent of the runtime", delete) as i64
    }
}

/// Deletes the runtime with its agents, where an agent must have a runtime.
fn delete_with_agents(deletion: &Deletion, call: &mut Call) -> Result<Deleted> {
    let runtime = deletion.runtime;
    OF_RUNTIME.lock(deletion.workspace, runtime, |wanted| {
        wanted.runtimes.extend(deletion.homes());
        wanted.runtimes.extend(deletion.into);
        wanted.chat_sessions.extend(history::chats_of(runtime));
    })?;
    deletion.check()?;
    deletion.announce(call);
    OF_RUNTIME.end_work(runtime, call);
    let kept = (history::move_all(runtime) + history::detach_all(runtime, deletion.into)) as i64;
    // Recorded before the rows are deleted, because the events describe the tasks as they are in the tables.
    call.record();
    let tasks = count_tasks(runtime);
    let agents = OF_RUNTIME.delete(runtime);
    deletion.delete()?;
    Ok(Deleted { agents, tasks, kept, ..Deleted::default() })
}

/// Deletes a runtime, as `multica_delete_runtime`.
pub fn delete_runtime(
    runtime_id: Option<Uuid>,
    expected_agents: Option<Vec<Option<Uuid>>>,
    into_runtime_id: Option<Uuid>,
    call: &mut Call,
) -> Result<Composite<RuntimeDeleted>> {
    let deletion = Deletion::read(runtime_id, expected_agents, into_runtime_id)?;
    let done = match unbind::is_possible() {
        true => unbind::delete_without_agents(&deletion, call)?,
        false => delete_with_agents(&deletion, call)?,
    };
    Ok(Composite::of(&[
        ("agents_deleted", arg(done.agents)),
        ("tasks_deleted", arg(done.tasks)),
        ("tasks_kept", arg(done.kept)),
        ("agents_unbound", arg(done.unbound)),
        ("autopilots_paused", arg(done.paused)),
    ]))
}

/// Deletes a runtime (CountActiveAgentsByRuntime, DeleteArchivedAgentsByRuntime, DeleteAgentRuntime). In the tables of a
/// server whose agents can be without a runtime, its agents are kept, and active agents need a confirmation. In other
/// tables, it has no active agents, and its archived agents are deleted with everything that belongs to them. Tasks of
/// agents that are bound to other runtimes are kept. Tasks in flight are ended first, with all consequences.
#[pg_extern(name = "multica_delete_runtime")]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_runtime_since_0_4(
    runtime_id: Option<Uuid>,
    expected_agents: default!(Option<Vec<Option<Uuid>>>, "NULL"),
    into_runtime_id: default!(Option<Uuid>, "NULL"),
) -> Composite<RuntimeDeleted> {
    call(|call| delete_runtime(runtime_id, expected_agents, into_runtime_id, call))
}

/// Deletes the archived agents of a runtime with everything that belongs to them (DeleteArchivedAgentsByRuntime);
/// returns how many. Their tasks in flight are failed first, with all consequences. Refused where agents can be without
/// a runtime: there the server keeps archived agents and their history.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_delete_archived_agents(runtime_id: Option<Uuid>) -> i64 {
    call(|call| {
        require(&[DELETING_AGENTS])?;
        let runtime = required("runtime_id", runtime_id)?;
        let workspace = workspace_of(runtime)?;
        ARCHIVED.lock(workspace, runtime, |_| ())?;
        ARCHIVED.end_work(runtime, call);
        Ok(ARCHIVED.delete(runtime))
    })
}
