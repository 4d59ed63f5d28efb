//! What a task is made from: an agent alone, an issue, a mention, a chat session, an autopilot run.

use pgrx::Uuid;

use crate::error::{Error, Result, Word};
use crate::postgres::statement::{Row, Statement, arg};

static OF_ISSUE: Statement = Statement::volatile(sql!("task/source_of_issue.sql")).of_visible_rows();
static OF_CHAT: Statement = Statement::volatile(sql!("task/source_of_chat.sql")).of_visible_rows();
static OF_RUN: Statement = Statement::volatile(sql!("task/source_of_run.sql")).of_visible_rows();
static COMMENT: Statement = Statement::volatile(sql!("task/comment_of.sql")).of_visible_rows();

/// Priority of a chat turn.
const CHAT_PRIORITY: i32 = 2;

/// Returns the priority of a task whose issue or autopilot has this priority.
fn priority_of(name: &str) -> i32 {
    match name {
        "urgent" => 4,
        "high" => 3,
        "medium" => 2,
        "low" => 1,
        _ => 0,
    }
}

/// The source of a task, and the values that the task takes from it.
#[derive(PartialEq, Eq)]
pub struct Source {
    /// Workspace of the source; None if only the agent has one.
    pub workspace: Option<Uuid>,
    /// Agent of the task.
    pub agent: Uuid,
    /// Issue that the task is for.
    pub issue: Option<Uuid>,
    /// Chat session of which the task is a turn.
    pub chat: Option<Uuid>,
    /// Autopilot run that the task executes.
    pub run: Option<Uuid>,
    /// Squad for which the agent works.
    pub squad: Option<Uuid>,
    /// Whether the agent works as the leader of the squad.
    pub is_leader: bool,
    /// Priority of the task unless the caller passes one.
    pub priority: i32,
    /// The task that the autopilot run already has.
    pub existing: Option<Uuid>,
}

/// To whom an issue or an autopilot is assigned.
struct Assignee {
    kind: Option<String>,
    id: Option<Uuid>,
    leader: Option<Uuid>,
    is_squad_archived: bool,
}

impl Assignee {
    fn read(row: &Row) -> Self {
        Self {
            kind: row.column("assignee_type"),
            id: row.column("assignee_id"),
            leader: row.column("leader_id"),
            is_squad_archived: row.column("is_squad_archived").unwrap_or_default(),
        }
    }

    /// Returns the agent that works, and its squad if it works as the leader of one.
    fn agent(&self) -> Option<(Uuid, Option<Uuid>)> {
        match self.kind.as_deref() {
            Some("agent") => self.id.map(|agent| (agent, None)),
            Some("squad") if !self.is_squad_archived => self.leader.map(|leader| (leader, self.id)),
            _ => None,
        }
    }

    /// Returns the error that `what` is not assigned to an agent.
    fn no_agent(self, what: String, hint: &str) -> Error {
        let detail = match self.kind.as_deref() {
            Some("squad") if self.is_squad_archived => "It is assigned to a squad that is archived.".to_string(),
            Some(other) => format!("It is assigned to a {other}."),
            None => "It has no assignee.".to_string(),
        };
        Error::state(Word::NotAssigned, format!("{what} is not assigned to an agent"), detail, hint)
    }
}

impl Source {
    /// Returns an agent alone as the source.
    pub fn agent(agent: Uuid) -> Self {
        Self {
            workspace: None,
            agent,
            issue: None,
            chat: None,
            run: None,
            squad: None,
            is_leader: false,
            priority: 0,
            existing: None,
        }
    }

    /// Returns an issue as the source. The agent is the `mentioned` one, otherwise the assignee or the leader of the
    /// squad that is the assignee; 55000 if there is none.
    pub fn issue(issue: Uuid, mentioned: Option<Uuid>) -> Result<Self> {
        let found = OF_ISSUE.row(&[arg(issue)], |row| {
            let priority: Option<&str> = row.column("priority");
            (row.required("workspace_id"), Assignee::read(row), priority.map_or(0, priority_of))
        });
        let (workspace, assignee, priority) = found.ok_or_else(|| Error::not_found("issue", issue))?;
        let worker = mentioned.map_or_else(|| assignee.agent(), |agent| Some((agent, None)));
        let (agent, squad) = worker.ok_or_else(|| {
            let hint = "Assign the issue to an agent, or name an agent with multica_enqueue_mention().";
            assignee.no_agent(format!("issue {issue}"), hint)
        })?;
        let source = Self { workspace: Some(workspace), issue: Some(issue), priority, ..Self::agent(agent) };
        Ok(source.for_squad(squad))
    }

    /// Returns a chat session as the source, with the session's agent; 55000 if the session is archived, or the server
    /// receives its messages from a channel.
    pub fn chat(chat: Uuid) -> Result<Self> {
        let found: Option<(Uuid, Uuid, bool, bool)> = OF_CHAT.row(&[arg(chat)], |row| {
            let (workspace, agent) = (row.required("workspace_id"), row.required("agent_id"));
            (workspace, agent, row.required("is_archived"), row.required("is_of_channel"))
        });
        let (workspace, agent, is_archived, is_of_channel) =
            found.ok_or_else(|| Error::not_found("chat session", chat))?;
        if is_archived {
            return Err(Error::state(
                Word::ChatArchived,
                format!("chat session {chat} is archived"),
                "An archived chat session gets no turns.",
                "Restore the chat session, or use another one.",
            ));
        }
        if is_of_channel {
            return Err(Error::state(
                Word::ChannelChat,
                format!("chat session {chat} belongs to a channel"),
                "The server decides which messages of a channel a turn answers.",
                "Let the server queue the task.",
            ));
        }
        Ok(Self { workspace: Some(workspace), chat: Some(chat), priority: CHAT_PRIORITY, ..Self::agent(agent) })
    }

    /// Returns an autopilot run as the source, with the autopilot's assignee, or the leader of the squad that is the
    /// assignee; 55000 if the run has ended, or there is no such agent.
    pub fn autopilot(run: Uuid) -> Result<Self> {
        let found = OF_RUN.row(&[arg(run)], |row| {
            let status: String = row.required("status");
            let priority: Option<&str> = row.column("priority");
            let existing: Option<Uuid> = row.column("task_id");
            let place: Uuid = row.required("workspace_id");
            (status, place, Assignee::read(row), priority.map_or(0, priority_of), existing)
        });
        let (status, workspace, assignee, priority, existing) =
            found.ok_or_else(|| Error::not_found("autopilot run", run))?;
        if matches!(status.as_str(), "completed" | "failed" | "skipped") {
            return Err(Error::state(
                Word::Final,
                format!("autopilot run {run} has already finished"),
                format!("Its status is {status}."),
                "Create a new run.",
            ));
        }
        let (agent, squad) = assignee.agent().ok_or_else(|| {
            assignee.no_agent(format!("the autopilot of run {run}"), "Assign the autopilot to an agent or a squad.")
        })?;
        let source = Self { workspace: Some(workspace), run: Some(run), priority, existing, ..Self::agent(agent) };
        Ok(source.for_squad(squad))
    }

    /// Returns the workspace of an autopilot run, whether or not it has ended.
    pub fn workspace_of_run(run: Uuid) -> Result<Uuid> {
        OF_RUN
            .row(&[arg(run)], |row| row.required("workspace_id"))
            .ok_or_else(|| Error::not_found("autopilot run", run))
    }

    fn for_squad(self, squad: Option<Uuid>) -> Self {
        Self { squad, is_leader: squad.is_some(), ..self }
    }
}

/// Returns P0002 if the comment does not belong to the source's issue, or, for a source without an issue, to its
/// workspace.
pub fn check_comment(comment: Option<Uuid>, source: &Source) -> Result<()> {
    let Some(comment) = comment else {
        return Ok(());
    };
    let args = [arg(comment), arg(source.issue), arg(source.workspace)];
    if COMMENT.row(&args, |row| row.must::<Uuid>(1)).is_some() {
        return Ok(());
    }
    let place = match (source.issue, source.workspace) {
        (Some(issue), _) => format!("issue {issue}"),
        (None, Some(workspace)) => format!("workspace {workspace}"),
        (None, None) => return Err(Error::not_found("comment", comment)),
    };
    Err(Error::not_found_in("comment", comment, place))
}
