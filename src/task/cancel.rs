//! The calls that cancel tasks, all with the same consequences.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::lookup::ISSUE_EXISTS;
use super::transition::{Outcome, State};
use crate::argument::required;
use crate::error::{Error, Result};
use crate::lifecycle::cancellation::{Why, cancel, cancel_because};
use crate::lifecycle::event::{Call, TaskSnapshot, call};
use crate::lifecycle::existence::{AGENT_EXISTS, no_agent, workspace_of};
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::status_sets::CANCELLABLE;
use crate::postgres::composite::{Composite, set};
use crate::postgres::statement::{Statement, arg};
use crate::types::{Task, Transition};

static ACTIVE_OF_ISSUE: Statement = Statement::volatile(sql!("task/active_of_issue.sql"));
static ACTIVE_OF_AGENT: Statement = Statement::volatile(sql!("task/active_of_agent.sql"));
static ACTIVE_OF_COMMENT: Statement = Statement::volatile(sql!("task/active_of_comment.sql"));
static ACTIVE_OF_CHAT: Statement = Statement::volatile(sql!("task/active_of_chat.sql"));
static ACTIVE_OF_RUNTIME: Statement = Statement::volatile(sql!("task/active_of_runtime.sql"));
static AGENTS_OF_ISSUE: Statement = Statement::volatile(sql!("task/agents_of_issue.sql"));
static AGENTS_OF_RUNTIME: Statement = Statement::volatile(sql!("task/agents_of_runtime.sql"));
static ISSUE_OF_COMMENT: Statement = Statement::volatile(sql!("task/issue_of_comment.sql")).of_visible_rows();
static AGENT_OF_CHAT: Statement = Statement::volatile(sql!("task/agent_of_chat.sql")).of_visible_rows();

extension_sql_file!(
    "../../sql/extension/comments/cancel.sql",
    name = "cancel_comments",
    requires = [
        multica_cancel_since_0_4,
        multica_cancel_issue_tasks,
        multica_cancel_agent_tasks,
        multica_cancel_comment_tasks,
        multica_cancel_chat_tasks,
        multica_cancel_runtime_tasks
    ]
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
    /// The tasks that answer a comment on the issue.
    Comment { comment: Uuid, issue: Uuid },
    /// The turns of a chat session with the agent.
    Chat { chat: Uuid, agent: Uuid },
    /// The tasks of a runtime.
    Runtime(Uuid),
}

impl CancelScope {
    /// Returns the active tasks; only those of `agents`, if agents are passed.
    fn active(&self, agents: Option<Vec<Uuid>>) -> Vec<Uuid> {
        let (statement, args) = match self {
            Self::Issue(issue, agent) => (&ACTIVE_OF_ISSUE, vec![arg(*issue), arg(*agent), arg(agents)]),
            Self::Agent(agent) => (&ACTIVE_OF_AGENT, vec![arg(*agent)]),
            Self::Comment { comment, .. } => (&ACTIVE_OF_COMMENT, vec![arg(*comment), arg(agents)]),
            Self::Chat { chat, .. } => (&ACTIVE_OF_CHAT, vec![arg(*chat), arg(agents)]),
            Self::Runtime(runtime) => (&ACTIVE_OF_RUNTIME, vec![arg(*runtime), arg(agents)]),
        };
        statement.rows(&args, |row| row.must(1))
    }

    /// Returns the agents that may have such tasks.
    fn agents(&self) -> Vec<Uuid> {
        let all = |statement: &Statement, id: Uuid| statement.rows(&[arg(id)], |row| row.must(1));
        match self {
            Self::Issue(_, Some(agent)) | Self::Agent(agent) | Self::Chat { agent, .. } => vec![*agent],
            Self::Issue(issue, None) | Self::Comment { issue, .. } => all(&AGENTS_OF_ISSUE, *issue),
            Self::Runtime(runtime) => all(&AGENTS_OF_RUNTIME, *runtime),
        }
    }

    fn issue(&self) -> Option<Uuid> {
        match self {
            Self::Issue(issue, _) | Self::Comment { issue, .. } => Some(*issue),
            _ => None,
        }
    }
}

/// Cancels one active task. A task that has already ended is returned as it is.
#[pg_extern(name = "multica_cancel")]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel_since_0_4(
    task_id: Option<Uuid>,
    error: default!(Option<String>, "NULL"),
    failure_reason: default!(Option<String>, "NULL"),
) -> Composite<Transition> {
    call(|call| cancel_task(task_id, &Why { error, failure_reason }, call))
}

/// Cancels one active task, and stores why. A task that has already ended is returned as it is.
pub fn cancel_task(task_id: Option<Uuid>, why: &Why, call: &mut Call) -> Result<Composite<Transition>> {
    let task = required("task_id", task_id)?;
    let Some(state) = State::open(task, None)? else {
        return Outcome::default().of(task);
    };
    if cancel_because(vec![task], why, call).is_empty() {
        return Err(state.refuse(task, "cancelled", &CANCELLABLE));
    }
    Outcome { applied: true, ..Outcome::default() }.of(task)
}

/// Locks, reads the active tasks again under the locks, and cancels them, including tasks that became active in the
/// meantime. A task of an agent that was found only under the locks is left, like a task that is queued after this
/// call, because the agent's status cannot be reconciled without its lock.
fn cancel_all(whose: &CancelScope, call: &mut Call) -> Result<SetOfIterator<'static, Composite<Task>>> {
    let mut wanted = LockSet::of_cancelled(whose.active(None));
    wanted.issues.extend(whose.issue());
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
        let agent = required("agent_id", agent_id)?;
        exists(&AGENT_EXISTS, "agent", agent)?;
        cancel_all(&CancelScope::Agent(agent), call)
    })
}

/// Cancels the active tasks that answer a comment, alone or with others; returns those that it cancelled.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel_comment_tasks(comment_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    call(|call| {
        let comment = required("comment_id", comment_id)?;
        let issue = ISSUE_OF_COMMENT.row(&[arg(comment)], |row| row.must(1));
        let issue = issue.ok_or_else(|| Error::not_found("comment", comment))?;
        cancel_all(&CancelScope::Comment { comment, issue }, call)
    })
}

/// Cancels the active turns of a chat session; returns those that it cancelled.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel_chat_tasks(chat_session_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    call(|call| {
        let chat = required("chat_session_id", chat_session_id)?;
        let agent = AGENT_OF_CHAT.row(&[arg(chat)], |row| row.must(1));
        let agent = agent.ok_or_else(|| Error::not_found("chat session", chat))?;
        cancel_all(&CancelScope::Chat { chat, agent }, call)
    })
}

/// Cancels the active tasks of a runtime; returns those that it cancelled.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel_runtime_tasks(runtime_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    call(|call| {
        let runtime = required("runtime_id", runtime_id)?;
        workspace_of(runtime)?;
        cancel_all(&CancelScope::Runtime(runtime), call)
    })
}
