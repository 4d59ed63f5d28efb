//! What ends when a runtime is deleted whose agents are archived.

use anyhow::Result;

use super::Suite;
use super::support::{expect, id, team};
use crate::context::Context;

/// The tests of this topic, whose results do not depend on the version of Postgres.
pub const AT_HOME: &[(&str, Suite)] = suite![deferred_tasks_of_archived_agents_end_first];

/// The tasks are deleted with their agent. Before that they end, so that the issue does not stay in progress and readers
/// of the event log hear of it.
fn deferred_tasks_of_archived_agents_end_first(context: &Context) -> Result<()> {
    for delete in ["multica_delete_archived_agents", "multica_delete_runtime"] {
        let (_database, mut client) = team(context)?;
        client.batch_execute(&format!(
            "SELECT task('e1', agent => 'c2'), task('e2', 'b2', 'c2'), task('e3', agent => 'c2', status => 'running');
             UPDATE agent_task_queue SET issue_id = {}, context = NULL WHERE right(id::text, 2) = 'e1';
             UPDATE agent_task_queue SET issue_id = {}, context = NULL WHERE right(id::text, 2) = 'e2';
             UPDATE agent_task_queue SET status = 'deferred', fire_at = now() WHERE status = 'queued';
             UPDATE agent SET archived_at = now() WHERE name = 'Bo';
             UPDATE agent SET runtime_id = {} WHERE name = 'Ada'",
            id("d1"),
            id("d2"),
            id("b2"),
        ))?;
        client.batch_execute(&format!("SELECT {delete}({})", id("b1")))?;
        expect(&mut client, "SELECT count(*) FROM agent_task_queue", "0")?;
        expect(
            &mut client,
            "SELECT type, right(payload ->> 'task_id', 2) FROM multica_events() WHERE type LIKE 'task:%' ORDER BY 2",
            "task:cancelled e1\ntask:cancelled e2\ntask:failed e3",
        )?;
        let issues = format!("SELECT status FROM issue WHERE id IN ({}, {})", id("d1"), id("d2"));
        expect(&mut client, &issues, "todo\ntodo")?;
    }
    Ok(())
}
