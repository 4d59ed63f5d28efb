//! A new task: the rows that it refers to, its runtime, and its row.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::provenance::Provenance;
use super::source::Source;
use crate::error::{Error, Result, Word};
use crate::lifecycle::event::{Call, TaskSnapshot};
use crate::lifecycle::existence::no_agent;
use crate::lifecycle::lock_set::LockSet;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};

static AGENT: Statement = Statement::volatile(sql!("task/placement_of_agent.sql")).of_visible_rows();
static CANNOT_EXECUTE: Statement = Statement::volatile(sql!("task/cannot_execute.sql"));
static INSERT: Statement = Statement::volatile(sql!("task/insert.sql")).by_id();

/// Attempts of a task unless the caller passes a number.
const MAX_ATTEMPTS: i32 = 2;

/// What the caller may choose for a new task.
#[derive(Default)]
pub struct Wishes {
    /// Comment that triggered the task.
    pub comment: Option<Uuid>,
    /// Priority; None means the priority of the source.
    pub priority: Option<i32>,
    /// Maximum number of attempts; None means two.
    pub max_attempts: Option<i32>,
    /// Context, as the caller passed it.
    pub context: Option<Jsonb>,
    /// Who caused the task.
    pub provenance: Provenance,
    /// When the task is to be queued; None means at once.
    pub run_after: Option<TimestampWithTimeZone>,
    /// The task that makes this one unnecessary when it starts.
    pub escalates: Option<Uuid>,
    /// Whether a turn answers the messages that refer to it.
    pub owns_input: bool,
    /// What the task takes from the tasks that it replaces.
    pub rerun: Rerun,
}

/// What a rerun takes from the tasks that it replaces.
#[derive(Default)]
pub struct Rerun {
    /// The task that is rerun.
    pub of: Option<Uuid>,
    /// The task whose context is copied.
    pub context_of: Option<Uuid>,
    /// Tasks whose comments the new task answers too.
    pub replaced: Vec<Uuid>,
    /// Whether the claim must not look for a session to resume.
    pub is_fresh: bool,
    /// Session to resume.
    pub session_id: Option<String>,
    /// Directory to resume in.
    pub work_dir: Option<String>,
    /// The task whose messages the turn answers.
    pub chat_input: Option<Uuid>,
}

/// Locks the rows that a task of this source refers to, and checks under the locks that the source is still the same.
/// The agent's runtime comes before the agent in the order of locks, so it is read before the agent is locked. Returns
/// the rows that it locked.
pub fn lock(
    source: &Source,
    comment: Option<Uuid>,
    mut also: LockSet,
    again: impl Fn() -> Result<Source>,
) -> Result<LockSet> {
    let home: Option<Option<Uuid>> = AGENT.row(&[arg(source.agent)], |row| row.column("runtime_id"));
    also.runtimes.extend(home.flatten());
    also.chat_sessions.extend(source.chat);
    also.agents.push(source.agent);
    also.issues.extend(source.issue);
    also.runs.extend(source.run);
    also.comments.extend(comment);
    also.acquire()?;
    if again()? == *source {
        return Ok(also);
    }
    Err(Error::state(
        Word::TryAgain,
        "another session changed the agent for the task at the same time",
        format!("The agent was {}.", source.agent),
        "Repeat the call.",
    ))
}

/// A task that is about to be inserted. The locks of its source are held.
pub struct NewTask<'a> {
    /// What the task is made from.
    pub source: &'a Source,
    /// What the caller has chosen.
    pub wishes: Wishes,
    /// The runtime to which the agent is bound.
    pub runtime: Uuid,
    workspace: Uuid,
}

impl<'a> NewTask<'a> {
    /// Reads the agent's workspace and runtime under the agent's lock, so that the agent is neither archived nor moved
    /// before the task is inserted. Returns P0002 if the agent is not in the source's workspace, and 55000 if it gets no
    /// tasks, or if the workspace requires a user whom the call does not name.
    pub fn new(source: &'a Source, wishes: Wishes) -> Result<Self> {
        let agent = source.agent;
        let found = AGENT.row(&[arg(agent)], |row| {
            let (runtime, owner): (Option<Uuid>, Option<Uuid>) = (row.column("runtime_id"), row.column("owner_id"));
            let workspace: Uuid = row.required("workspace_id");
            (workspace, runtime, owner, row.required::<bool>("is_archived"))
        });
        let (workspace, runtime, owner, archived) =
            found.ok_or_else(|| no_agent(Error::not_found("agent", agent), agent))?;
        if source.workspace.is_some_and(|of| of != workspace) {
            let place = format!("workspace {}", source.workspace.unwrap_or(workspace));
            return Err(no_agent(Error::not_found_in("agent", agent, place), agent));
        }
        if archived {
            return Err(Error::state(
                Word::Archived,
                format!("agent {agent} is archived"),
                "An archived agent gets no tasks.",
                "Restore the agent, or choose another agent.",
            ));
        }
        let runtime = runtime.ok_or_else(|| {
            Error::state(
                Word::Unbound,
                format!("agent {agent} is bound to no runtime"),
                "Its runtime was deleted.",
                "Bind the agent to a runtime, or choose another agent.",
            )
        })?;
        // Runs are scheduled, and would pile up where nobody can execute them.
        if source.run.is_some() && CANNOT_EXECUTE.row(&[arg(runtime)], |row| row.get(1)) == Some(Some(true)) {
            return Err(Error::state(
                Word::NotExecutable,
                format!("runtime {runtime} of agent {agent} cannot execute its provider"),
                "Its metadata have the offline_reason not_executable.",
                "Repair the machine. Its daemon then registers the runtime again.",
            ));
        }
        let provenance = wishes.provenance.with_accountable_user(workspace, owner)?;
        Ok(Self { source, wishes: Wishes { provenance, ..wishes }, runtime, workspace })
    }

    /// Inserts the task and announces it if it is queued. `fire_at`: when a deferred task is due; None means that the
    /// task is queued. Returns None if the pending slot of its issue and agent is taken, or if a trigger keeps the row
    /// out.
    pub fn insert(&self, fire_at: Option<TimestampWithTimeZone>, call: &mut Call) -> Option<TaskSnapshot> {
        let Self { source, wishes, .. } = self;
        let rerun = &wishes.rerun;
        let args = [
            arg(source.agent),
            arg(self.runtime),
            arg(source.issue),
            arg(source.chat),
            arg(source.run),
            arg(wishes.comment),
            arg(wishes.priority.unwrap_or(source.priority)),
            arg(wishes.max_attempts.unwrap_or(MAX_ATTEMPTS)),
            arg(wishes.context),
            arg(rerun.session_id.clone()),
            arg(rerun.work_dir.clone()),
            arg(call.now()),
            arg(rerun.replaced.clone()),
            arg(fire_at),
            arg(wishes.escalates),
            arg(source.squad),
            arg(source.is_leader),
            arg(rerun.of),
            arg(rerun.is_fresh),
            arg(wishes.owns_input),
            arg(rerun.chat_input),
            arg(rerun.context_of),
            arg(self.workspace),
        ];
        let args: Vec<_> = args.into_iter().chain(wishes.provenance.args()).collect();
        let task = INSERT.row(&args, TaskSnapshot::reader())?.within(Some(self.workspace));
        if task.is_queued() {
            call.task_queued(&task);
        }
        Some(task)
    }

    /// Returns the error for a task that could not be inserted: 40001 if other sessions have taken the pending slot each
    /// time, last with the task `pending`; 55000 if the slot is free.
    pub fn not_inserted(pending: Option<Uuid>) -> Error {
        match pending {
            Some(task) => Error::conflict(
                "other sessions queue tasks of the same issue and agent at the same time",
                format!("One of these tasks is {task}."),
            ),
            None => Error::kept_out(
                "the task could not be inserted into agent_task_queue",
                "A trigger on the table returned NULL for the row.",
            ),
        }
    }
}
