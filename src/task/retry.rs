//! The automatic retry of one failed task, and the status of one agent.

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::json;

use super::transition::State;
use crate::argument::required;
use crate::clock;
use crate::entry::entry;
use crate::error::Error;
use crate::event::Events;
use crate::failure;
use crate::kind::Task;
use crate::lock::Wanted;
use crate::other_kind::no_agent;
use crate::row::{Composite, set};
use crate::spi::{Statement, arg};

static GET: Statement = Statement::write(include_str!("../../sql/task/get.sql"))
    .of_visible_rows()
    .by_id();
static AGENT_STATUS: Statement = Statement::write(include_str!("../../sql/task/agent_status.sql"));

extension_sql_file!(
    "../../sql/install/comments/retry.sql",
    name = "retry_comments",
    requires = [multica_retry, multica_reconcile_agent]
);

/// Queues the retry of a failed task if it is eligible; no row if it is not, or has one already.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_retry(task_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    entry(|| {
        let task = required("task_id", task_id)?;
        Wanted::of_tasks(vec![task]).take();
        State::of(task)?;
        let now = clock::now();
        let Some(retry) = failure::retry(task, now) else {
            return Ok(set(Vec::new()));
        };
        let mut events = Events::default();
        events.task("task:queued", &retry);
        events.record(now);
        Ok(set(GET.rows(&[arg(retry.id())], Composite::from_row)))
    })
}

/// Sets the status of an agent right: working while a task of it is in flight, else idle. Gives the status it now has.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_reconcile_agent(agent_id: Option<Uuid>) -> String {
    entry(|| {
        let agent = required("agent_id", agent_id)?;
        Wanted {
            agents: vec![agent],
            ..Wanted::default()
        }
        .take();
        let now = clock::now();
        let mut events = Events::default();
        for changed in failure::reconcile(&[agent], now) {
            events.push("agent:status", changed, json!({}));
        }
        events.record(now);
        let status = AGENT_STATUS.row(&[arg(agent)], |row| row.must(1));
        status.ok_or_else(|| no_agent(Error::not_found("agent", agent), agent))
    })
}
