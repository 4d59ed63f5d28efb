//! What a task counts as that waits for its directory, that is deferred, or whose status this version does not know.
//! The tables are those that install makes, with the columns and the check of the newest server.

use anyhow::Result;
use postgres::Client;

use super::Suite;
use super::support::{expect, id, team};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    deferred_task_takes_no_place,
    deferred_task_does_not_prevent_retry,
    issue_with_deferred_task_is_not_reset,
    waiting_task_takes_a_place_of_an_idle_agent,
    waiting_task_fails_with_its_runtime,
    every_end_clears_lease_and_wait_reason,
    status_counts_waiting_and_deferred_tasks,
    unknown_status_is_left_alone,
];

/// A database with the columns and statuses of the newest server, and a status that no server has yet.
fn statuses(context: &Context) -> Result<(Database<'_>, Client)> {
    let (database, mut client) = team(context)?;
    client.batch_execute(
        "ALTER TABLE agent_task_queue ADD COLUMN IF NOT EXISTS wait_reason text, ADD COLUMN IF NOT EXISTS fire_at timestamptz,
             ADD COLUMN IF NOT EXISTS prepare_lease_expires_at timestamptz, DROP CONSTRAINT agent_task_queue_status_check,
             ADD CONSTRAINT agent_task_queue_status_check CHECK (status IN ('queued', 'dispatched', 'running', 'completed',
                 'failed', 'cancelled', 'waiting_local_directory', 'deferred', 'paused'))",
    )?;
    Ok((database, client))
}

/// Returns a query of the status of the task with this label.
fn status_of(label: &str) -> String {
    format!("SELECT status FROM agent_task_queue WHERE id = {}", id(label))
}

fn deferred_task_takes_no_place(context: &Context) -> Result<()> {
    let (_database, mut client) = statuses(context)?;
    client.batch_execute(&format!(
        "UPDATE agent SET max_concurrent_tasks = 1;
         SELECT task('e1', status => 'deferred'), task('e2'), task('e3', status => 'deferred');
         UPDATE agent_task_queue SET issue_id = {issue} WHERE id IN ({e1}, {e2});
         UPDATE agent_task_queue SET chat_session_id = {chat} WHERE id = {e3}",
        issue = id("d1"),
        chat = id("51"),
        e1 = id("e1"),
        e2 = id("e2"),
        e3 = id("e3"),
    ))?;
    expect(&mut client, &format!("SELECT multica_count_running_tasks({})", id("c1")), "0")?;
    expect(&mut client, &format!("SELECT multica_reconcile_agent({})", id("c1")), "idle")?;
    let claim = format!("SELECT right(id::text, 2) FROM multica_claim({})", id("b1"));
    expect(&mut client, &claim, "e2")?;
    // The next turn of the chat does not wait for the deferred one either.
    client.batch_execute(&format!(
        "UPDATE agent SET max_concurrent_tasks = 2; SELECT task('e4');
         UPDATE agent_task_queue SET chat_session_id = {} WHERE id = {}",
        id("51"),
        id("e4"),
    ))?;
    expect(&mut client, &claim, "e4")
}

fn deferred_task_does_not_prevent_retry(context: &Context) -> Result<()> {
    let (_database, mut client) = statuses(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'), task('e2', status => 'deferred');
         UPDATE agent_task_queue SET issue_id = {}",
        id("d1"),
    ))?;
    let fail = format!("SELECT retry_task_id IS NOT NULL FROM multica_fail({}, 'x', 'timeout')", id("e1"));
    expect(&mut client, &fail, "t")
}

fn issue_with_deferred_task_is_not_reset(context: &Context) -> Result<()> {
    let (_database, mut client) = statuses(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'), task('e2', status => 'deferred');
         UPDATE agent_task_queue SET issue_id = {};
         SELECT FROM multica_fail({}, 'x', 'agent_error')",
        id("d1"),
        id("e1"),
    ))?;
    expect(&mut client, &format!("SELECT status FROM issue WHERE id = {}", id("d1")), "in_progress")?;
    expect(&mut client, &format!("SELECT multica_has_active_task({})", id("d1")), "t")
}

fn waiting_task_takes_a_place_of_an_idle_agent(context: &Context) -> Result<()> {
    let (_database, mut client) = statuses(context)?;
    client.batch_execute(
        "UPDATE agent SET max_concurrent_tasks = 1, status = 'working';
         SELECT task('e1', status => 'waiting_local_directory'), task('e2')",
    )?;
    expect(&mut client, &format!("SELECT multica_count_running_tasks({})", id("c1")), "1")?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_claim({})", id("b1")), "0")?;
    // A sweep finds the agent, whose task does not make it work.
    expect(&mut client, "SELECT agents_reconciled FROM multica_sweep()", "3")?;
    expect(&mut client, &format!("SELECT multica_reconcile_agent({})", id("c1")), "idle")?;
    let beat = format!("SELECT stop_task_ids FROM multica_heartbeat({}, ARRAY[{}]::uuid[])", id("b1"), id("e1"));
    expect(&mut client, &beat, "{}")
}

fn waiting_task_fails_with_its_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = statuses(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'waiting_local_directory'), task('e2', status => 'deferred');
         UPDATE agent_task_queue SET wait_reason = 'busy', prepare_lease_expires_at = now();
         UPDATE agent_runtime SET status = 'offline'",
    )?;
    let call = "SELECT right(id::text, 2), completed_at IS NOT NULL, wait_reason, prepare_lease_expires_at
                FROM multica_fail_tasks_for_offline_runtimes(0)";
    expect(&mut client, call, "e1 t  ")?;
    expect(&mut client, &status_of("e2"), "deferred")?;
    client.batch_execute(&format!(
        "UPDATE agent_task_queue SET status = 'waiting_local_directory', completed_at = NULL WHERE id = {}",
        id("e1")
    ))?;
    expect(&mut client, &format!("SELECT orphaned FROM multica_recover_orphans({})", id("b1")), "1")
}

fn every_end_clears_lease_and_wait_reason(context: &Context) -> Result<()> {
    for (status, call, end) in [
        ("running", "multica_complete", "completed"),
        ("waiting_local_directory", "multica_fail", "failed"),
        ("waiting_local_directory", "multica_cancel", "cancelled"),
        ("deferred", "multica_cancel", "cancelled"),
        ("deferred", "multica_cancel_agent_tasks", "cancelled"),
        ("waiting_local_directory", "multica_cancel_issue_tasks", "cancelled"),
    ] {
        let (_database, mut client) = statuses(context)?;
        client.batch_execute(&format!(
            "SELECT task('e1', status => '{status}');
             UPDATE agent_task_queue SET issue_id = {}, wait_reason = 'busy', prepare_lease_expires_at = now()",
            id("d1"),
        ))?;
        let argument = match call {
            "multica_cancel_agent_tasks" => id("c1"),
            "multica_cancel_issue_tasks" => id("d1"),
            "multica_fail" => format!("{}, 'x'", id("e1")),
            _ => id("e1"),
        };
        let left = format!(
            "SELECT status, completed_at IS NOT NULL, wait_reason, prepare_lease_expires_at FROM {call}({argument})"
        );
        expect(&mut client, &left, &format!("{end} t  "))?;
    }
    Ok(())
}

fn status_counts_waiting_and_deferred_tasks(context: &Context) -> Result<()> {
    let (_database, mut client) = statuses(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'waiting_local_directory'), task('e2', status => 'deferred'),
             task('e3', status => 'deferred'), task('e4', status => 'running'), task('e5')",
    )?;
    let counted =
        "SELECT tasks_queued, tasks_dispatched, tasks_running, tasks_waiting, tasks_deferred FROM multica_status()";
    expect(&mut client, counted, "1 0 1 1 2")?;
    let metric = "SELECT value FROM multica_metrics() WHERE name = 'multica_tasks' AND labels->>'status' = 'deferred'";
    expect(&mut client, metric, "2")
}

fn unknown_status_is_left_alone(context: &Context) -> Result<()> {
    let (_database, mut client) = statuses(context)?;
    client.batch_execute(&format!(
        "UPDATE agent SET max_concurrent_tasks = 1;
         SELECT task('e1', status => 'paused'), task('e2');
         UPDATE agent_task_queue SET issue_id = {} WHERE id = {};
         UPDATE agent_runtime SET status = 'offline'",
        id("d1"),
        id("e1"),
    ))?;
    expect(&mut client, &format!("SELECT multica_reconcile_agent({})", id("c1")), "working")?;
    expect(&mut client, "SELECT count(*) FROM multica_fail_tasks_for_offline_runtimes(0)", "0")?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_cancel_issue_tasks({})", id("d1")), "0")?;
    // It takes no place of the agent either.
    expect(&mut client, &format!("SELECT right(id::text, 2) FROM multica_claim({}, 5)", id("b1")), "e2")?;
    expect(&mut client, &format!("SELECT multica_has_active_task({})", id("d1")), "t")?;
    expect(&mut client, &status_of("e1"), "paused")
}
