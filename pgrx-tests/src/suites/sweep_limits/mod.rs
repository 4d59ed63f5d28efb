//! Limits of a sweep with a large backlog: memory, locks and time per batch; a sweep can be cancelled at any point.

mod backlog;
mod interruptions;

use anyhow::Result;

use super::Suite;
use super::support::text;
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;

/// Tests whose result depends on a plan.
pub const ALL: &[(&str, Suite)] = suite![backlog::last_batch_costs_no_more_than_first];

/// Tests whose result is the same on every version.
pub const AT_HOME: &[(&str, Suite)] = suite![
    backlog::backlog_sweep_does_not_delay_live_calls,
    interruptions::locked_rows_delay_only_their_own_tasks,
    interruptions::cancelled_sweep_leaves_no_partial_batch,
    interruptions::budget_below_one_batch_makes_progress,
];

/// Failed tasks without their event, and those with an attempt left without their retry.
const INCOMPLETE: &str = "
    SELECT count(*) FROM agent_task_queue AS t
    WHERE t.status = 'failed' AND (
        NOT EXISTS (SELECT FROM multica_event_log AS e WHERE e.type = 'task:failed' AND e.payload ->> 'task_id' = t.id::text)
        OR t.attempt < t.max_attempts AND NOT EXISTS (SELECT FROM agent_task_queue AS c WHERE c.parent_task_id = t.id)
    )";

/// Tasks that are still in flight.
const IN_FLIGHT: &str = "SELECT count(*) FROM agent_task_queue WHERE status IN ('dispatched', 'running')";

/// A database with this number of tasks in flight on silent runtimes.
fn orphans<'a>(context: &Context, cluster: &'a Cluster, many: usize) -> Result<Database<'a>> {
    let database = context.fresh_database_in(cluster)?;
    let mut client = database.connect()?;
    client.batch_execute(&format!("SET bounds.orphans = {many}"))?;
    client.batch_execute(&text(context, "sweep_limits/orphans")?)?;
    Ok(database)
}
