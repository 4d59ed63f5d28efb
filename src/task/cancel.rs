//! The calls that cancel tasks, all with the same consequences.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::lookup::ISSUE_EXISTS;
use super::transition::{Outcome, State};
use crate::argument::required;
use crate::error::{Error, Result};
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::compatibility;
use crate::lifecycle::event::{Call, TaskSnapshot, call};
use crate::lifecycle::existence::{AGENT_EXISTS, no_agent};
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::status_sets::CANCELLABLE;
use crate::postgres::composite::{Composite, set};
use crate::postgres::statement::{Statement, arg};
use crate::types::{Task, Transition};

static ACTIVE_OF_ISSUE: Statement = Statement::volatile(sql!("task/active_of_issue.sql"));
static ACTIVE_OF_AGENT: Statement = Statement::volatile(sql!("task/active_of_agent.sql"));
static AGENTS_OF_ISSUE: Statement = Statement::volatile(sql!("task/agents_of_issue.sql"));

extension_sql_file!(
    "../../sql/extension/comments/cancel.sql",
    name = "cancel_comments",
    requires = [multica_cancel, multica_cancel_issue_tasks, multica_cancel_agent_tasks]
);

/// Returns the active tasks of an issue and agent.
pub fn active_of(issue: Uuid, agent: Uuid) -> Vec<Uuid> {
    CancelScope::Issue(issue, Some(agent)).active(None)
}

/// Which tasks a call cancels.
enum CancelScope {
    /// The tasks of an issue, of one agent or of all agents.
    Issue(Uuid, Option<Uuid>),
    /// The tasks of an agent.
    Agent(Uuid),
}

impl CancelScope {
    /// Returns the active tasks; of an issue's tasks only those of `agents`, if agents are passed.
    fn active(&self, agents: Option<Vec<Uuid>>) -> Vec<Uuid> {
        match self {
            Self::Issue(issue, agent) => {
                let args = [arg(*issue), arg(*agent), arg(agents)];
                ACTIVE_OF_ISSUE.rows(&args, |row| row.must(1))
            }
            Self::Agent(agent) => ACTIVE_OF_AGENT.rows(&[arg(*agent)], |row| row.must(1)),
        }
    }

    /// Returns the agents that may have such tasks.
    fn agents(&self) -> Vec<Uuid> {
        match self {
            Self::Issue(_, Some(agent)) | Self::Agent(agent) => vec![*agent],
            Self::Issue(issue, None) => AGENTS_OF_ISSUE.rows(&[arg(*issue)], |row| row.must(1)),
        }
    }
}

/// Cancels one active task. A task that has already ended is returned as it is.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel(task_id: Option<Uuid>) -> Composite<Transition> {
    call(|call| {
        compatibility::require(&[compatibility::ENDING])?;
        let task = required("task_id", task_id)?;
        let Some(state) = State::open(task, None)? else {
            return Outcome::default().of(task);
        };
        if cancel(vec![task], call).is_empty() {
            return Err(state.refuse(task, "cancelled", &CANCELLABLE));
        }
        Outcome { applied: true, ..Outcome::default() }.of(task)
    })
}

/// Locks, reads the active tasks again under the locks, and cancels them, including tasks that became active in the
/// meantime. A task of an agent that was found only under the locks is left, like a task that is queued after this
/// call, because the agent's status cannot be reconciled without its lock.
fn cancel_all(whose: &CancelScope, call: &mut Call) -> Result<SetOfIterator<'static, Composite<Task>>> {
    // Nothing is queued, so no runtime is locked.
    let mut wanted = LockSet { runtimes: Vec::new(), ..LockSet::of_tasks(whose.active(None)) };
    if let CancelScope::Issue(issue, _) = whose {
        wanted.issues.push(*issue);
    }
    wanted.agents.extend(whose.agents());
    let agents = wanted.agents.clone();
    wanted.acquire()?;
    let active = whose.active(Some(agents));
    wanted.add_chats_of(&active)?;
    let cancelled = cancel(active, call);
    let cancelled: Vec<Uuid> = cancelled.iter().map(TaskSnapshot::id).collect();
    Ok(set(super::get_many(cancelled)))
}

fn exists(statement: &Statement, what: &'static str, id: Uuid) -> Result<()> {
    match statement.latest().row(&[arg(id)], |row| row.must::<Uuid>(1)) {
        Some(_) => Ok(()),
        None => Err(no_agent(Error::not_found(what, id), id)),
    }
}

/// Cancels the active tasks of an issue, of one agent or of all; returns those that it cancelled.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel_issue_tasks(
    issue_id: Option<Uuid>,
    agent_id: default!(Option<Uuid>, "NULL"),
) -> SetOfIterator<'static, Composite<Task>> {
    call(|call| {
        compatibility::require(&[compatibility::ENDING])?;
        let issue = required("issue_id", issue_id)?;
        exists(&ISSUE_EXISTS, "issue", issue)?;
        if let Some(agent) = agent_id {
            exists(&AGENT_EXISTS, "agent", agent)?;
        }
        cancel_all(&CancelScope::Issue(issue, agent_id), call)
    })
}

/// Cancels the active tasks of an agent; returns those that it cancelled.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel_agent_tasks(agent_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    call(|call| {
        compatibility::require(&[compatibility::ENDING])?;
        let agent = required("agent_id", agent_id)?;
        exists(&AGENT_EXISTS, "agent", agent)?;
        cancel_all(&CancelScope::Agent(agent), call)
    })
}
