//! The status of an issue that a completed task sets, and the runs that end with it.

use pgrx::Uuid;

use crate::argument::excerpt;
use crate::error::{Error, Result};
use crate::lifecycle::consequences::settle_quota;
use crate::lifecycle::event::Call;
use crate::postgres::statement::{Statement, arg};

static CATEGORY: Statement = Statement::volatile(sql!("task/category_of_status.sql"));
static SET: Statement = Statement::volatile(sql!("task/set_issue_status.sql")).by_id();
static END_RUNS: Statement = Statement::volatile(sql!("task/end_runs_of_issue.sql")).by_id();

/// The statuses of every workspace. Each is its own category.
const BUILT_IN: [&str; 7] = ["backlog", "todo", "in_progress", "in_review", "done", "blocked", "cancelled"];
/// The categories with which the runs of an issue are completed.
const COMPLETING: [&str; 2] = ["done", "in_review"];

/// Sets the status of the task's issue, and ends those of the `runs` that are for this issue if the category of the
/// status ends them. The caller holds the issue and the runs. Returns 22023 if there is no issue, or if its workspace has
/// no such status.
pub fn set(issue: Option<Uuid>, status: &str, runs: &[Uuid], call: &mut Call) -> Result<()> {
    let invalid =
        |problem: String| Error::invalid("issue_status", problem, "Pass a status of the issue's workspace, or NULL.");
    let issue = issue.ok_or_else(|| invalid("the task has no issue".to_string()))?;
    let category = match BUILT_IN.contains(&status) {
        true => Some(status.to_string()),
        false => CATEGORY.row(&[arg(issue), arg(status)], |row| row.must(1)),
    };
    let category =
        category.ok_or_else(|| invalid(format!("the workspace of the issue has no status '{}'", excerpt(status))))?;
    let now = call.now();
    // The agent itself may have set the status before.
    if let Some(previous) = SET.row(&[arg(issue), arg(status), arg(now)], |row| row.must::<String>(1)) {
        call.issue_updated(issue, &previous);
    }
    let is_completing = COMPLETING.contains(&category.as_str());
    let ended: Vec<Uuid> = match runs.is_empty() {
        true => Vec::new(),
        false => END_RUNS.rows(&[arg(runs.to_vec()), arg(now), arg(category), arg(issue)], |row| row.must(1)),
    };
    settle_quota(&ended, if is_completing { "consumed" } else { "released" }, now);
    for run in ended {
        call.run_done(run);
    }
    Ok(())
}
