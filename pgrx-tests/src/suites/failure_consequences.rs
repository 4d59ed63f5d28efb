//! Consequences of failed tasks, whichever call or application failed them.

use anyhow::{Result, ensure};

use super::Suite;
use super::support::{dead_machine, digest, expect, id, value, values};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    issue_stays_in_progress_only_while_a_task_is_active,
    queued_siblings_are_unchanged,
    run_ends_once_with_its_task,
    second_call_for_the_same_tasks_does_nothing,
    unknown_task_status_counts_as_active,
    only_timed_out_tasks_are_failed,
];

/// No issue of a failed task stays in progress without an active task (I9), and no issue is changed that is not in
/// progress.
fn issue_stays_in_progress_only_while_a_task_is_active(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    expect(
        &mut client,
        "SELECT i.title, i.status FROM issue AS i
         WHERE (i.status = 'in_progress') <> EXISTS (
             SELECT FROM agent_task_queue AS t
             WHERE t.issue_id = i.id AND t.status IN ('queued', 'dispatched', 'running'))",
        "",
    )?;
    expect(
        &mut client,
        "SELECT string_agg(title, ' ' ORDER BY title) FROM issue WHERE status = 'todo'
         UNION ALL SELECT status FROM issue WHERE title = 'plan'",
        "cleanup docs\nin_review",
    )
}

/// Queued tasks are the same rows afterwards (I11).
fn queued_siblings_are_unchanged(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
         SELECT a.id, a.runtime_id, i.id FROM agent AS a, issue AS i WHERE (a.name, i.title) IN (('Ada', 'plan'), ('Cy', 'login'))",
    )?;
    let queued = "SELECT id, xmin FROM agent_task_queue WHERE status = 'queued' AND parent_task_id IS NULL ORDER BY id";
    let before = values(&mut client, queued)?.join("\n");
    client.batch_execute(&format!(
        "SELECT * FROM multica_sweep(); SELECT * FROM multica_recover_orphans({})",
        id("b1")
    ))?;
    expect(&mut client, queued, &before)
}

/// A run ends with its task; a run that has already ended is not written.
fn run_ends_once_with_its_task(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO autopilot_run (id, autopilot_id, source, status, result)
         SELECT '00000000-0000-4000-8000-000000000072', id, 'manual', 'completed', '1' FROM autopilot;
         INSERT INTO agent_task_queue (agent_id, runtime_id, autopilot_run_id, status, dispatched_at, started_at)
         SELECT a.id, a.runtime_id, '00000000-0000-4000-8000-000000000072', 'running', now(), now()
         FROM agent AS a WHERE a.name = 'Ada';
         SELECT * FROM multica_sweep();
         SELECT * FROM multica_handle_failed_tasks(ARRAY(SELECT id FROM agent_task_queue))",
    )?;
    expect(
        &mut client,
        "SELECT source, status, failure_reason, completed_at IS NOT NULL, result FROM autopilot_run ORDER BY 1",
        "manual completed  f 1\nschedule failed runtime went offline t ",
    )?;
    expect(
        &mut client,
        "SELECT payload ->> 'status', right(payload ->> 'run_id', 2), right(payload ->> 'autopilot_id', 2)
         FROM multica_event_log WHERE type = 'autopilot:run_done'",
        "failed 71 61",
    )
}

/// An application fails tasks with its own SQL and calls the function for them. All consequences are written exactly
/// once.
fn second_call_for_the_same_tasks_does_nothing(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = 'timeout', error = 'mine'
         WHERE status IN ('dispatched', 'running')",
    )?;
    let handle = "SELECT * FROM multica_handle_failed_tasks(ARRAY(SELECT id FROM agent_task_queue))";
    expect(&mut client, handle, "4 2 3")?;
    let done = digest(context, &database)?;
    expect(&mut client, handle, "0 0 0")?;
    ensure!(done == digest(context, &database)?, "the second call wrote something");
    // The consequences of tasks that a call of the extension has failed are not written again either.
    client.batch_execute(
        "UPDATE agent_task_queue SET status = 'running', started_at = now() - interval '1 day' WHERE status = 'queued';
         SELECT * FROM multica_fail_stale_tasks(300, 9000)",
    )?;
    let done = digest(context, &database)?;
    expect(&mut client, handle, "0 0 0")?;
    ensure!(done == digest(context, &database)?, "the call after the sweep wrote something");
    Ok(())
}

/// A status that a newer server writes is active. A task with such a status does not time out, and its issue, agent and
/// runtime are in use.
fn unknown_task_status_counts_as_active(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "ALTER TABLE agent_task_queue DROP CONSTRAINT agent_task_queue_status_check;
         INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, dispatched_at, started_at)
         VALUES ({ada}, {b1}, {docs}, 'paused', now() - interval '9 days', now() - interval '9 days');
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, last_seen_at)
         VALUES ('00000000-0000-4000-8000-0000000000b9', {workspace}, 'gone', 'gone', 'local', 'x', now() - interval '9 days');
         INSERT INTO agent_task_queue (agent_id, runtime_id, status)
         VALUES ({bo}, '00000000-0000-4000-8000-0000000000b9', 'paused')",
        ada = id("c1"),
        bo = id("c2"),
        b1 = id("b1"),
        docs = id("d2"),
        workspace = id("a1"),
    ))?;
    expect(&mut client, "SELECT tasks_failed, runtimes_deleted FROM multica_sweep()", "10 0")?;
    expect(
        &mut client,
        "SELECT i.status, a.status, count(*) FILTER (WHERE t.status = 'paused')
         FROM issue AS i, agent AS a, agent_task_queue AS t WHERE i.title = 'docs' AND a.name = 'Ada' GROUP BY 1, 2",
        "in_progress working 2",
    )
}

/// Dispatched and running tasks have different limits, each by its own timestamp, also on runtimes that are online.
fn only_timed_out_tasks_are_failed(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET status = 'online', last_seen_at = now();
         UPDATE agent_task_queue SET dispatched_at = now() - interval '301 seconds' WHERE id = {};
         UPDATE agent_task_queue SET dispatched_at = now() - interval '9002 seconds', started_at = now() - interval '9001 seconds' WHERE id = {};
         UPDATE agent_task_queue SET dispatched_at = now() - interval '3 hours' WHERE id = {}",
        id("e2"),
        id("e1"),
        id("e4"),
    ))?;
    expect(&mut client, "SELECT tasks_failed, tasks_timed_out, tasks_retried FROM multica_sweep()", "0 2 1")?;
    expect(
        &mut client,
        "SELECT right(id::text, 2), error, failure_reason FROM agent_task_queue WHERE status = 'failed' ORDER BY 1",
        "e1 task timed out timeout\ne2 task timed out timeout",
    )?;
    let left = value(&mut client, "SELECT count(*) FROM multica_fail_stale_tasks(1, 1, 3)")?;
    ensure!(left == "3", "max_tasks must limit both kinds together, not to {left}");
    Ok(())
}
