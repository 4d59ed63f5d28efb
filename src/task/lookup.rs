//! The calls that read tasks.

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::{bound, required};
use crate::error::{Error, Result};
use crate::lifecycle::existence::{AGENT_EXISTS, no_agent};
use crate::lifecycle::sessions;
use crate::postgres::composite::{Composite, set};
use crate::postgres::entry::entry;
use crate::postgres::statement::{Statement, arg};
use crate::types::{Session, Task};

/// One task.
pub static GET: Statement = Statement::stable(sql!("task/get.sql")).of_visible_rows().by_id();
static LIST_PENDING: Statement = Statement::stable(sql!("task/list_pending.sql")).of_visible_rows();
static LIST_OF_ISSUE: Statement = Statement::stable(sql!("task/list_of_issue.sql")).of_visible_rows();
static LIST_OF_AGENT: Statement = Statement::stable(sql!("task/list_of_agent.sql")).of_visible_rows();
static HAS_ACTIVE: Statement = Statement::stable(sql!("task/has_active.sql"));
static HAS_PENDING: Statement = Statement::stable(sql!("task/has_pending.sql"));
static COUNT_RUNNING: Statement = Statement::stable(sql!("task/count_running.sql"));
/// One row if the issue exists.
pub static ISSUE_EXISTS: Statement = Statement::stable(sql!("task/issue_exists.sql")).of_visible_rows();

extension_sql_file!(
    "../../sql/extension/comments/lookup.sql",
    name = "lookup_comments",
    requires = [
        multica_get_task,
        multica_list_pending_tasks,
        multica_list_issue_tasks,
        multica_list_agent_tasks,
        multica_has_active_task,
        multica_has_pending_task,
        multica_count_running_tasks,
        multica_last_task_session,
        multica_last_chat_session
    ]
);

fn known_issue(issue_id: Option<Uuid>) -> Result<Uuid> {
    let issue = required("issue_id", issue_id)?;
    let found: Option<Uuid> = ISSUE_EXISTS.row(&[arg(issue)], |row| row.must(1));
    found.ok_or_else(|| Error::not_found("issue", issue))
}

fn known_agent(agent_id: Option<Uuid>) -> Result<Uuid> {
    let agent = required("agent_id", agent_id)?;
    let found: Option<Uuid> = AGENT_EXISTS.row(&[arg(agent)], |row| row.must(1));
    found.ok_or_else(|| no_agent(Error::not_found("agent", agent), agent))
}

/// Returns one task; no row if it does not exist.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_get_task(task_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    entry(|| {
        let task = required("task_id", task_id)?;
        Ok(set(GET.rows(&[arg(task)], Composite::from_row)))
    })
}

/// Returns the pending tasks of a runtime, newest first.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_list_pending_tasks(runtime_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        Ok(set(LIST_PENDING.rows(&[arg(runtime)], Composite::from_row)))
    })
}

/// Returns the tasks of an issue, newest first.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_list_issue_tasks(
    issue_id: Option<Uuid>,
    max_tasks: default!(Option<i32>, "100"),
) -> SetOfIterator<'static, Composite<Task>> {
    entry(|| {
        let issue = required("issue_id", issue_id)?;
        let limit = bound("max_tasks", max_tasks)?;
        Ok(set(LIST_OF_ISSUE.rows(&[arg(issue), arg(limit)], Composite::from_row)))
    })
}

/// Returns the tasks of an agent, newest first.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_list_agent_tasks(
    agent_id: Option<Uuid>,
    max_tasks: default!(Option<i32>, "100"),
) -> SetOfIterator<'static, Composite<Task>> {
    entry(|| {
        let agent = required("agent_id", agent_id)?;
        let limit = bound("max_tasks", max_tasks)?;
        Ok(set(LIST_OF_AGENT.rows(&[arg(agent), arg(limit)], Composite::from_row)))
    })
}

/// Whether an issue has an active task, of any agent.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_has_active_task(issue_id: Option<Uuid>) -> bool {
    entry(|| {
        let issue = known_issue(issue_id)?;
        Ok(HAS_ACTIVE.row(&[arg(issue)], |row| row.must(1)).unwrap_or_default())
    })
}

/// Whether an issue has a pending task, of one agent or of any agent.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_has_pending_task(issue_id: Option<Uuid>, agent_id: default!(Option<Uuid>, "NULL")) -> bool {
    entry(|| {
        let issue = known_issue(issue_id)?;
        let agent = agent_id.map(|agent| known_agent(Some(agent))).transpose()?;
        Ok(HAS_PENDING.row(&[arg(issue), arg(agent)], |row| row.must(1)).unwrap_or_default())
    })
}

/// How many tasks of an agent are in flight, on any runtime.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_count_running_tasks(agent_id: Option<Uuid>) -> i64 {
    entry(|| {
        let agent = known_agent(agent_id)?;
        Ok(COUNT_RUNNING.row(&[arg(agent)], |row| row.must(1)).unwrap_or_default())
    })
}

/// Returns the last session of an agent on an issue; no row if no task of the agent had a session.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_last_task_session(
    issue_id: Option<Uuid>,
    agent_id: Option<Uuid>,
) -> SetOfIterator<'static, Composite<Session>> {
    entry(|| {
        let issue = required("issue_id", issue_id)?;
        let agent = required("agent_id", agent_id)?;
        Ok(set(sessions::of_issue(issue, agent)))
    })
}

/// Returns the last session of a chat; no row if no turn had a session.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_last_chat_session(chat_session_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Session>> {
    entry(|| {
        let chat = required("chat_session_id", chat_session_id)?;
        Ok(set(sessions::of_chat(chat)))
    })
}
