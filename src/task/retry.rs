//! The automatic retry of one failed task, the policy of retries, and the status of one agent.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::transition::State;
use crate::argument::required;
use crate::error::Error;
use crate::lifecycle::consequences;
use crate::lifecycle::event::call;
use crate::lifecycle::existence::no_agent;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::retry_policy;
use crate::postgres::composite::{Composite, set};
use crate::postgres::entry::entry;
use crate::postgres::statement::{Statement, arg};
use crate::types::{RetryRule, Task};

static AGENT_STATUS: Statement = Statement::volatile(sql!("task/agent_status.sql"));
static POLICY: Statement = Statement::stable(sql!("task/retry_policy_in_force.sql")).of_whole_tables();

extension_sql_file!(
    "../../sql/extension/comments/retry.sql",
    name = "retry_comments",
    requires = [multica_retry, multica_retry_policy_in_force, multica_reconcile_agent]
);

/// Queues the retry of a failed task if it is eligible; no row if it is not, or has one already.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_retry(task_id: Option<Uuid>) -> SetOfIterator<'static, Composite<Task>> {
    call(|call| {
        let task = required("task_id", task_id)?;
        LockSet::of_tasks(vec![task]).acquire()?;
        State::of(task)?;
        let Some(retry) = consequences::retry(task, call.now()) else {
            return Ok(set(Vec::new()));
        };
        if !retry.is_deferred() {
            call.task_queued(&retry);
        }
        Ok(set(super::get(retry.id()).into_iter().collect()))
    })
}

/// Returns the retry policy: the built-in rules with what the operator has changed of them.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_retry_policy_in_force() -> SetOfIterator<'static, Composite<RetryRule>> {
    entry(|| Ok(set(POLICY.rows(&retry_policy::whole().collect::<Vec<_>>(), Composite::from_row))))
}

/// Reconciles an agent: its status is working while one of its tasks is dispatched or running, otherwise idle. Returns
/// the status.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_reconcile_agent(agent_id: Option<Uuid>) -> String {
    call(|call| {
        let agent = required("agent_id", agent_id)?;
        LockSet { agents: vec![agent], ..LockSet::default() }.acquire()?;
        for changed in consequences::reconcile(&[agent], call.now()) {
            call.agent_status(changed);
        }
        let status = AGENT_STATUS.row(&[arg(agent)], |row| row.must(1));
        status.ok_or_else(|| no_agent(Error::not_found("agent", agent), agent))
    })
}
