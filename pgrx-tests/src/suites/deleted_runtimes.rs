//! What is kept, and what ends, when a runtime is deleted whose agents have lost it or are archived.

use anyhow::Result;
use postgres::Client;

use super::Suite;
use super::support::{expect, id, team};
use crate::context::Context;

/// The tests of this topic, whose results do not depend on the version of Postgres.
pub const AT_HOME: &[(&str, Suite)] = suite![
    history_of_unbound_agent_survives_runtime,
    history_of_unbound_agent_moves_to_named_runtime,
    deferred_tasks_of_archived_agents_end_first,
];

/// Ada is without a runtime. Machine-1 still has her ended tasks, one of them without an end, and an open task of each
/// kind. Bo is archived.
fn unbind_ada(client: &mut Client) -> Result<()> {
    Ok(client.batch_execute(&format!(
        "SELECT task('e1'), task('e2'), task('e3'), task('e4', status => 'running'), task('e5');
         UPDATE agent_task_queue SET status = 'completed', completed_at = now(), session_id = 's1' WHERE right(id::text, 2) = 'e1';
         UPDATE agent_task_queue SET status = 'failed' WHERE right(id::text, 2) = 'e2';
         UPDATE agent_task_queue SET issue_id = {}, context = NULL WHERE right(id::text, 2) = 'e3';
         UPDATE agent_task_queue SET status = 'deferred', fire_at = now() WHERE right(id::text, 2) = 'e5';
         UPDATE agent SET runtime_id = NULL, status = 'working' WHERE name = 'Ada';
         UPDATE agent SET archived_at = now() WHERE name = 'Bo'",
        id("d1")
    ))?)
}

const DELETE: &str = "agents_deleted, tasks_deleted, tasks_kept, agents_unbound FROM multica_delete_runtime";

/// In tables without a server, an application may take the runtime of an agent away. The agent stays, so its tasks do:
/// the deletion of their runtime would cascade to them.
fn history_of_unbound_agent_survives_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    unbind_ada(&mut client)?;
    expect(&mut client, &format!("SELECT {DELETE}({})", id("b1")), "1 0 5 0")?;
    expect(
        &mut client,
        "SELECT right(id::text, 2), status, runtime_id IS NULL, completed_at IS NOT NULL FROM agent_task_queue ORDER BY 1",
        "e1 completed t t\ne2 failed t t\ne3 cancelled t t\ne4 cancelled t t\ne5 cancelled t t",
    )?;
    expect(&mut client, "SELECT status FROM agent", "idle\nidle")?;
    expect(&mut client, &format!("SELECT status FROM issue WHERE id = {}", id("d1")), "todo")?;
    expect(
        &mut client,
        "SELECT string_agg(right(payload ->> 'task_id', 2), ' ' ORDER BY right(payload ->> 'task_id', 2))
         FROM multica_events() WHERE type = 'task:cancelled' AND payload ->> 'status' = 'cancelled'",
        "e3 e4 e5",
    )
}

/// The sessions were on the deleted machine.
fn history_of_unbound_agent_moves_to_named_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    unbind_ada(&mut client)?;
    expect(&mut client, &format!("SELECT {DELETE}({}, NULL, {})", id("b1"), id("b2")), "1 0 5 0")?;
    expect(
        &mut client,
        "SELECT DISTINCT right(runtime_id::text, 2), session_id IS NULL, completed_at IS NOT NULL FROM agent_task_queue",
        "b2 t t",
    )
}

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
