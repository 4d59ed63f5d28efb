//! The rerun that a user asks for.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::cancel::active_of;
use super::enqueue::{EnqueueOptions, insert, lock};
use super::source::{Source, check_comment};
use crate::argument::required;
use crate::error::Error;
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::compatibility;
use crate::lifecycle::event::call;
use crate::lifecycle::lock_set::LockSet;
use crate::postgres::composite::Composite;
use crate::postgres::statement::{Statement, arg};
use crate::types::Task;

static LATEST_SESSION: Statement = Statement::volatile(sql!("task/latest_session.sql"));

extension_sql_file!("../../sql/extension/comments/rerun.sql", name = "rerun_comments", requires = [multica_rerun]);

/// Cancels the active tasks of an issue's assignee and queues a new first attempt. It resumes the session of the
/// agent's latest task on the issue, even if this call has just cancelled that task.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_rerun(issue_id: Option<Uuid>, trigger_comment_id: default!(Option<Uuid>, "NULL")) -> Composite<Task> {
    call(|call| {
        compatibility::require(&[compatibility::SQUADS, compatibility::RERUNNING, compatibility::QUEUEING])?;
        let issue = required("issue_id", issue_id)?;
        let find = || Source::issue(issue, None);
        let source = find()?;
        check_comment(trigger_comment_id, &source)?;
        let active = || active_of(issue, source.agent);
        let locked = lock(&source, trigger_comment_id, LockSet::of_tasks(active()), find)?;

        let active = active();
        locked.add_chats_of(&active)?;
        cancel(active, call);
        let latest: Option<(Option<String>, Option<String>)> =
            LATEST_SESSION.row(&[arg(issue), arg(source.agent)], |row| (row.get(1), row.get(2)));
        let (session_id, work_dir) = latest.unwrap_or_default();
        let wishes = EnqueueOptions { comment: trigger_comment_id, session_id, work_dir, ..EnqueueOptions::default() };
        let (task, _) = insert(&source, wishes, call)?;
        super::get(task).ok_or_else(|| Error::not_found("task", task))
    })
}
