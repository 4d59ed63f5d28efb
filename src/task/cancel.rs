//! Work that nobody wants any more, with the same consequences whichever way it is cancelled.

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::json;

use super::transition::{Outcome, State};
use crate::argument::required;
use crate::clock;
use crate::entry::entry;
use crate::error::{Error, Result};
use crate::event::{Events, Told};
use crate::failure;
use crate::kind::{Task, Transition};
use crate::lock::Wanted;
use crate::other_kind::no_agent;
use crate::row::{Composite, set};
use crate::spi::{Statement, arg};

static ACTIVE_OF_ISSUE: Statement =
    Statement::write(include_str!("../../sql/task/active_of_issue.sql"));
static ACTIVE_OF_AGENT: Statement =
    Statement::write(include_str!("../../sql/task/active_of_agent.sql"));
static AGENTS_OF_ISSUE: Statement =
    Statement::write(include_str!("../../sql/task/agents_of_issue.sql"));
static CANCEL: Statement = Statement::write(include_str!("../../sql/task/cancel.sql")).by_id();
static TASKS: Statement = Statement::write(include_str!("../../sql/failure/tasks.sql")).by_id();
static ISSUE_EXISTS: Statement =
    Statement::write(include_str!("../../sql/task/issue_exists.sql")).of_visible_rows();
static AGENT_EXISTS: Statement =
    Statement::write(include_str!("../../sql/task/agent_exists.sql")).of_visible_rows();

extension_sql_file!(
    "../../sql/install/comments/cancel.sql",
    name = "cancel_comments",
    requires = [
        multica_cancel,
        multica_cancel_issue_tasks,
        multica_cancel_agent_tasks
    ]
);

/// The active tasks of an issue and agent.
pub fn active_of(issue: Uuid, agent: Uuid) -> Vec<Uuid> {
    Whose::Issue(issue, Some(agent)).active(None)
}

/// Whose tasks a call is about.
enum Whose {
    /// An issue's, of one agent or of all.
    Issue(Uuid, Option<Uuid>),
    /// An agent's.
    Agent(Uuid),
}

impl Whose {
    /// The active ones; with `agents`, of an issue's only theirs.
    fn active(&self, agents: Option<Vec<Uuid>>) -> Vec<Uuid> {
        match self {
            Self::Issue(issue, agent) => {
                let args = [arg(*issue), arg(*agent), arg(agents)];
                ACTIVE_OF_ISSUE.rows(&args, |row| row.must(1))
            }
            Self::Agent(agent) => ACTIVE_OF_AGENT.rows(&[arg(*agent)], |row| row.must(1)),
        }
    }

    /// Whoever may have such tasks.
    fn agents(&self) -> Vec<Uuid> {
        match self {
            Self::Issue(_, Some(agent)) | Self::Agent(agent) => vec![*agent],
            Self::Issue(issue, None) => AGENTS_OF_ISSUE.rows(&[arg(*issue)], |row| row.must(1)),
        }
    }
}

/// Cancels active tasks whose locks are held, with the events in the order a subscriber expects: agents, tasks, autopilot
/// runs. Gives those that it cancelled.
pub fn cancel(tasks: Vec<Uuid>, now: TimestampWithTimeZone, events: &mut Events) -> Vec<Told> {
    let cancelled = Told::read(&CANCEL, &[arg(tasks), arg(now)]);
    failure::point_chats(&cancelled, now);
    for agent in failure::reconcile(&failure::agents_of(&cancelled), now) {
        events.push("agent:status", agent, json!({}));
    }
    for task in &cancelled {
        events.task("task:cancelled", task);
    }
    for run in failure::follow_autopilot(&cancelled, now) {
        events.push("autopilot:run_done", run, json!({}));
    }
    cancelled
}

/// Cancels one active task. One that is over already is answered as it is.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel(task_id: Option<Uuid>) -> Composite<Transition> {
    entry(|| {
        let task = required("task_id", task_id)?;
        let Some(state) = State::open(task, None)? else {
            return Outcome::default().of(task);
        };
        let now = clock::now();
        let mut events = Events::default();
        if cancel(vec![task], now, &mut events).is_empty() {
            let allowed = ["queued", "dispatched", "running"];
            return Err(state.refuse(task, "cancelled", &allowed));
        }
        events.record(now);
        Outcome {
            applied: true,
            ..Outcome::default()
        }
        .of(task)
    })
}

/// Locks, looks again under the locks, cancels: whatever became active on the way, too. Only a task of an agent that the
/// issue did not know is left, as one queued after this call: without that agent's lock its status could not be set right.
fn cancel_all(whose: &Whose) -> SetOfIterator<'static, Composite<Task>> {
    let mut wanted = Wanted::of_tasks(whose.active(None));
    if let Whose::Issue(issue, _) = whose {
        wanted.issues.push(*issue);
    }
    wanted.agents.extend(whose.agents());
    let agents = wanted.agents.clone();
    wanted.take();
    let now = clock::now();
    let mut events = Events::default();
    let cancelled = cancel(whose.active(Some(agents)), now, &mut events);
    events.record(now);
    let cancelled: Vec<Uuid> = cancelled.iter().map(Told::id).collect();
    set(TASKS.rows(&[arg(cancelled)], Composite::from_row))
}

fn exists(statement: &Statement, what: &'static str, id: Uuid) -> Result<()> {
    match statement.row(&[arg(id)], |row| row.must::<Uuid>(1)) {
        Some(_) => Ok(()),
        None => Err(no_agent(Error::not_found(what, id), id)),
    }
}

/// Cancels the active tasks of an issue, of one agent or of all; gives those that it cancelled.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel_issue_tasks(
    issue_id: Option<Uuid>,
    agent_id: default!(Option<Uuid>, "NULL"),
) -> SetOfIterator<'static, Composite<Task>> {
    entry(|| {
        let issue = required("issue_id", issue_id)?;
        exists(&ISSUE_EXISTS, "issue", issue)?;
        if let Some(agent) = agent_id {
            exists(&AGENT_EXISTS, "agent", agent)?;
        }
        Ok(cancel_all(&Whose::Issue(issue, agent_id)))
    })
}

/// Cancels the active tasks of an agent; gives those that it cancelled.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_cancel_agent_tasks(agent_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    entry(|| {
        let agent = required("agent_id", agent_id)?;
        exists(&AGENT_EXISTS, "agent", agent)?;
        Ok(cancel_all(&Whose::Agent(agent)))
    })
}
