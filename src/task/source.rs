//! What a task is made from: an agent alone, an issue, a mention, a chat session, an autopilot run.

use pgrx::Uuid;

use crate::error::{Error, Result, Word};
use crate::postgres::statement::{Statement, arg};

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
    /// Priority of the task unless the caller passes one.
    pub priority: i32,
    /// The task that the autopilot run already has.
    pub existing: Option<Uuid>,
}

impl Source {
    /// Returns an agent alone as the source.
    pub fn agent(agent: Uuid) -> Self {
        Self { workspace: None, agent, issue: None, chat: None, run: None, priority: 0, existing: None }
    }

    /// Returns an issue as the source. The agent is the `mentioned` one, otherwise the assignee; 55000 if that is not
    /// an agent.
    pub fn issue(issue: Uuid, mentioned: Option<Uuid>) -> Result<Self> {
        let found = OF_ISSUE.row(&[arg(issue)], |row| {
            let assignee: Option<Uuid> = row.column("assignee_id");
            let assignee_type: Option<String> = row.column("assignee_type");
            let priority: Option<&str> = row.column("priority");
            (row.required("workspace_id"), assignee, assignee_type, priority.map_or(0, priority_of))
        });
        let (workspace, assignee, assignee_type, priority) = found.ok_or_else(|| Error::not_found("issue", issue))?;
        let agent = mentioned.or(assignee);
        let is_agent = mentioned.is_some() || assignee_type.as_deref() == Some("agent");
        let agent = agent.filter(|_| is_agent).ok_or_else(|| {
            Error::state(
                Word::NotAssigned,
                format!("issue {issue} is not assigned to an agent"),
                match assignee_type {
                    Some(other) => format!("It is assigned to a {other}."),
                    None => "It has no assignee.".to_string(),
                },
                "Assign the issue to an agent, or name an agent with multica_enqueue_mention().",
            )
        })?;
        Ok(Self { workspace: Some(workspace), issue: Some(issue), priority, ..Self::agent(agent) })
    }

    /// Returns a chat session as the source, with the session's agent.
    pub fn chat(chat: Uuid) -> Result<Self> {
        let found: Option<(Uuid, Uuid)> = OF_CHAT.row(&[arg(chat)], |row| (row.must(1), row.must(2)));
        let (workspace, agent) = found.ok_or_else(|| Error::not_found("chat session", chat))?;
        Ok(Self { workspace: Some(workspace), chat: Some(chat), priority: CHAT_PRIORITY, ..Self::agent(agent) })
    }

    /// Returns an autopilot run as the source, with the autopilot's assignee; 55000 if the run has ended.
    pub fn autopilot(run: Uuid) -> Result<Self> {
        let found = OF_RUN.row(&[arg(run)], |row| {
            let status: String = row.required("status");
            let priority: Option<&str> = row.column("priority");
            let source = Self {
                workspace: Some(row.required("workspace_id")),
                run: Some(run),
                priority: priority.map_or(0, priority_of),
                existing: row.column("task_id"),
                ..Self::agent(row.required("assignee_id"))
            };
            (status, source)
        });
        let (status, source) = found.ok_or_else(|| Error::not_found("autopilot run", run))?;
        if matches!(status.as_str(), "completed" | "failed") {
            return Err(Error::state(
                Word::Final,
                format!("autopilot run {run} has already finished"),
                format!("Its status is {status}."),
                "Create a new run.",
            ));
        }
        Ok(source)
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
