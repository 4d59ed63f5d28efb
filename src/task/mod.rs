//! The SQL-callable functions on tasks, by topic.

mod cancel;
mod claim;
mod claim_token;
mod coalesce;
mod complete;
mod enqueue;
mod fail;
mod former;
mod issue_status;
mod late_end;
mod limit;
mod lookup;
mod new_task;
mod pin_session;
mod prepare;
mod progress;
mod provenance;
mod raw;
mod rerun;
mod resume;
mod retry;
mod run_end;
mod source;
mod start;
mod transition;

use lookup::GET;
use pgrx::Uuid;

use crate::postgres::composite::Composite;
use crate::postgres::statement::{Statement, arg};
use crate::types::Task;

static GET_MANY: Statement = Statement::volatile(sql!("task/get_many.sql")).by_id();

/// Returns the task as it is now.
fn get(task: Uuid) -> Option<Composite<Task>> {
    GET.latest().row(&[arg(task)], Composite::from_row)
}

/// Returns the tasks as they are now, newest first.
pub fn get_many(tasks: Vec<Uuid>) -> Vec<Composite<Task>> {
    GET_MANY.rows(&[arg(tasks)], Composite::from_row)
}
