//! What the server's own sweeper left undone, because it was killed between two of its transactions.

use anyhow::Result;
use postgres::Client;

use super::{id, sweep};
use crate::context::Context;
use crate::suites::cases::on_generations;
use crate::suites::support::{expect, value};

/// The server fails the running task of the fixtures, and does nothing else.
fn fail(client: &mut Client, task: &str, reason: &str, ago: &str) -> Result<()> {
    Ok(client.batch_execute(&format!(
        "UPDATE agent_task_queue
         SET status = 'failed', completed_at = now() - interval '{ago}', error = 'task timed out', failure_reason = '{reason}'
         WHERE id = {}",
        id(&format!("task {task}"))
    ))?)
}

fn is_off(client: &mut Client) -> Result<bool> {
    let off = "SELECT EXISTS (SELECT FROM unnest(stages_off) AS s WHERE s LIKE 'finish_after:%') FROM multica_status()";
    Ok(value(client, off)? == "t")
}

fn retries(client: &mut Client, task: &str, expected: &str) -> Result<()> {
    let query = format!("SELECT count(*) FROM agent_task_queue WHERE parent_task_id = {}", id(&format!("task {task}")));
    expect(client, &query, expected)
}

/// The retry is queued once, with its events, and not before the server had time to do it.
pub fn lost_retry_is_queued_once(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        let expected = if is_off(client)? { "0" } else { "1" };
        fail(client, "running", "timeout", "9 minutes")?;
        sweep(client)?;
        retries(client, "running", "0")?;
        // The position is already behind that moment, because the test changes the past.
        client.batch_execute("UPDATE multica_sweep_state SET finished_to = NULL")?;
        fail(client, "running", "timeout", "11 minutes")?;
        for _ in 0..3 {
            sweep(client)?;
            retries(client, "running", expected)?;
        }
        let events = "SELECT count(*) FROM multica_event_log
                      WHERE type = 'task:failed' AND payload ->> 'task_id' = md5('task running')::uuid::text
                        AND payload ->> 'retry_task_id' IS NOT NULL";
        expect(client, events, expected)
    })
}

/// The last attempt is over, so only the issue and the run are left.
pub fn issue_and_run_left_behind_are_settled(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        let is_off = is_off(client)?;
        client.batch_execute(
            "UPDATE agent_task_queue SET attempt = max_attempts WHERE id = md5('task running')::uuid;
             UPDATE agent_task_queue SET status = 'cancelled', completed_at = now() - interval '1 hour'
             WHERE id = md5('task of a profile')::uuid",
        )?;
        fail(client, "running", "queued_expired", "11 minutes")?;
        fail(client, "run running", "timeout", "11 minutes")?;
        sweep(client)?;
        let states = "SELECT i.status, r.status FROM issue AS i, autopilot_run AS r
                      WHERE i.id = md5('issue is worked on')::uuid AND r.id = md5('run running')::uuid";
        expect(client, states, if is_off { "in_progress running" } else { "todo failed" })?;
        retries(client, "running", "0")
    })
}

/// Another task goes on with the work, the agent is archived, or the failure is old or not of a sweep.
pub fn work_that_goes_on_is_left(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        fail(client, "running", "timeout", "11 minutes")?;
        client.batch_execute(
            "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status)
             SELECT agent_id, runtime_id, issue_id, 'queued' FROM agent_task_queue WHERE id = md5('task running')::uuid",
        )?;
        fail(client, "running offline", "runtime_offline", "25 hours")?;
        fail(client, "running in silence", "agent_error.unknown", "11 minutes")?;
        fail(client, "chat running", "timeout", "11 minutes")?;
        client.batch_execute("UPDATE agent SET archived_at = now() WHERE id = md5('agent worker')::uuid")?;
        sweep(client)?;
        for task in ["running", "running offline", "running in silence", "chat running"] {
            retries(client, task, "0")?;
        }
        expect(client, "SELECT status FROM issue WHERE id = md5('issue is worked on')::uuid", "in_progress")?;
        // A sweep is told not to.
        client.batch_execute(
            "SET multica.finish_after = 0; UPDATE agent SET archived_at = NULL WHERE id = md5('agent worker')::uuid",
        )?;
        sweep(client)?;
        retries(client, "chat running", "0")
    })
}

/// The search does not begin at the same place again, and it does not pass over a task that another session holds.
pub fn position_moves_past_ended_tasks(context: &Context) -> Result<()> {
    let database = context.installed_generation("397")?;
    let (mut client, mut other) = (database.connect()?, database.connect()?);
    client.batch_execute("SET multica.batch_size = 1")?;
    fail(&mut client, "running", "timeout", "20 minutes")?;
    fail(&mut client, "dispatched", "timeout", "15 minutes")?;
    other.batch_execute("BEGIN; SELECT FROM agent_task_queue WHERE id = md5('task running')::uuid FOR UPDATE")?;
    sweep(&mut client)?;
    retries(&mut client, "dispatched", "0")?;
    client.batch_execute("SET multica.batch_size = 1000")?;
    sweep(&mut client)?;
    retries(&mut client, "dispatched", "1")?;
    other.batch_execute("ROLLBACK")?;
    sweep(&mut client)?;
    retries(&mut client, "running", "1")?;
    let position = "SELECT finished_to > now() - interval '11 minutes' FROM multica_sweep_state";
    expect(&mut client, position, "t")?;
    // Nothing is found any more: the position is stored only when it is far behind.
    client.batch_execute("UPDATE multica_sweep_state SET finished_to = now() - interval '50 minutes'")?;
    let moved = "SELECT finished_to > now() - interval '11 minutes' FROM multica_sweep_state";
    sweep(&mut client)?;
    expect(&mut client, moved, "f")?;
    client.batch_execute("UPDATE multica_sweep_state SET finished_to = now() - interval '5 hours'")?;
    sweep(&mut client)?;
    expect(&mut client, moved, "t")
}
