//! A user wants it done again.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::cancel::{active_of, cancel};
use super::enqueue::{Wishes, insert, lock};
use super::source::{Source, check_comment};
use crate::argument::required;
use crate::clock;
use crate::entry::entry;
use crate::error::Error;
use crate::event::Events;
use crate::kind::Task;
use crate::lock::Wanted;
use crate::row::Composite;
use crate::spi::{Statement, arg};

static LATEST_SESSION: Statement =
    Statement::write(include_str!("../../sql/task/latest_session.sql"));
static GET: Statement = Statement::write(include_str!("../../sql/task/get.sql"))
    .of_visible_rows()
    .by_id();

extension_sql_file!(
    "../../sql/install/comments/rerun.sql",
    name = "rerun_comments",
    requires = [multica_rerun]
);

/// Cancels the active tasks of an issue's assignee and queues a fresh one, which begins a chain of its own and resumes
/// where the agent left off, the run just cancelled included.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_rerun(
    issue_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
) -> Composite<Task> {
    entry(|| {
        let issue = required("issue_id", issue_id)?;
        let find = || Source::issue(issue, None);
        let source = find()?;
        check_comment(trigger_comment_id, &source)?;
        let active = || active_of(issue, source.agent);
        lock(
            &source,
            trigger_comment_id,
            Wanted::of_tasks(active()),
            find,
        )?;

        let now = clock::now();
        let mut events = Events::default();
        cancel(active(), now, &mut events);
        let latest: Option<(Option<String>, Option<String>)> = LATEST_SESSION
            .row(&[arg(issue), arg(source.agent)], |row| {
                (row.get(1), row.get(2))
            });
        let (session_id, work_dir) = latest.unwrap_or_default();
        let wishes = Wishes {
            comment: trigger_comment_id,
            session_id,
            work_dir,
            ..Wishes::default()
        };
        let (task, _) = insert(&source, wishes, now, &mut events)?;
        events.record(now);
        let row = GET.row(&[arg(task)], Composite::from_row);
        row.ok_or_else(|| Error::not_found("task", task))
    })
}
