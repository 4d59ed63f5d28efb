//! The server's sweeper. It fails tasks in one transaction per stage, and then writes the consequences task by task, in
//! transactions of their own. Sometimes it is killed between them.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use uuid::Uuid;

use super::Session;
use super::tasks::{create_retry, lock_chat, refresh_agent, reset_issue};

/// How long a pass goes on after it has failed tasks. The extension leaves the consequences to it for longer than that.
const LONGEST_PASS: Duration = Duration::from_secs(1);

const MARK_STALE: &str = "UPDATE agent_runtime SET status = 'offline', updated_at = now()
    WHERE status = 'online' AND last_seen_at < now() - interval '1 s'";

/// The stages that fail tasks, in the server's order. Only the one about time-outs has no limit and waits for rows.
const STAGES: [&str; 4] = [
    "UPDATE agent_task_queue
     SET status = 'failed', completed_at = now(), error = 'runtime went offline', failure_reason = 'runtime_offline',
         wait_reason = NULL, handoff_note = 'failed by the sweeper'
     WHERE status IN ('dispatched', 'running', 'waiting_local_directory') AND id IN (
         SELECT t.id FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
         WHERE r.status = 'offline' AND COALESCE(r.last_seen_at, r.updated_at) < now() - interval '2 s'
           AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
         ORDER BY COALESCE(r.last_seen_at, r.updated_at), t.created_at
         LIMIT 500
         FOR UPDATE OF t SKIP LOCKED
     )
     RETURNING id",
    "UPDATE agent_task_queue
     SET status = 'failed', completed_at = now(), error = 'runtime did not reconnect within the configured grace period',
         failure_reason = 'runtime_reconnect_timeout', prepare_lease_expires_at = NULL, handoff_note = 'failed by the sweeper'
     WHERE status = 'deferred' AND id IN (
         SELECT t.id FROM agent_task_queue AS t
         JOIN agent_task_queue AS p ON p.id = t.parent_task_id
         LEFT JOIN agent_runtime AS r ON r.id = t.runtime_id
         WHERE t.status = 'deferred' AND t.fire_at < now() - interval '2 s' AND p.failure_reason = 'runtime_offline'
           AND (r.status = 'online' AND r.last_seen_at >= now() - interval '1 s') IS NOT TRUE
         LIMIT 500
         FOR UPDATE OF t SKIP LOCKED
     )
     RETURNING id",
    "UPDATE agent_task_queue AS t
     SET status = 'failed', completed_at = now(), error = 'task timed out', failure_reason = 'timeout',
         prepare_lease_expires_at = NULL, handoff_note = 'failed by the sweeper'
     WHERE (
         t.status = 'dispatched' AND t.dispatched_at < now() - interval '1 s'
         AND (t.prepare_lease_expires_at IS NULL OR t.prepare_lease_expires_at < now())
         AND EXISTS (
             SELECT FROM agent_runtime AS r
             WHERE r.id = t.runtime_id AND (
                 (r.status = 'online' AND r.last_seen_at >= now() - interval '1 s')
                 OR COALESCE(r.last_seen_at, r.updated_at) < now() - interval '2 s'
             )
         )
     ) OR (
         t.status = 'running' AND t.started_at < now() - interval '4 s'
         AND EXISTS (
             SELECT FROM agent_runtime AS r
             WHERE r.id = t.runtime_id AND COALESCE(r.last_seen_at, r.updated_at) < now() - interval '2 s'
         )
     )
     RETURNING id",
    "UPDATE agent_task_queue
     SET status = 'failed', completed_at = now(), error = 'task expired in queue', failure_reason = 'queued_expired',
         prepare_lease_expires_at = NULL, handoff_note = 'failed by the sweeper'
     WHERE status = 'queued' AND id IN (
         SELECT t.id FROM agent_task_queue AS t LEFT JOIN agent_task_queue AS p ON p.id = t.parent_task_id
         WHERE t.status = 'queued' AND t.created_at < now() - interval '5 s'
           AND p.failure_reason IS DISTINCT FROM 'runtime_offline'
         ORDER BY t.created_at
         LIMIT 500
         FOR UPDATE OF t SKIP LOCKED
     )
     RETURNING id",
];

/// Prevents that two statements of the server which write many tasks in any order run at the same time. Two servers
/// that run them can deadlock without the extension.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(4712)";

/// Sweeps until the end.
pub fn sweep(session: &mut Session, _number: usize) -> Result<()> {
    while !session.load.is_over() {
        session.client.execute(MARK_STALE, &[]).context(MARK_STALE)?;
        for stage in STAGES {
            let failed = fail(session, stage)?;
            session.load.tally.failed_by_server.fetch_add(failed.len() as u64, Ordering::Relaxed);
            handle(session, &failed)?;
        }
        session.pause(60);
    }
    Ok(())
}

/// Runs a statement that fails tasks, in a transaction of its own. Returns the tasks.
pub fn fail(session: &mut Session, statement: &str) -> Result<Vec<Uuid>> {
    let mut transaction = session.client.transaction()?;
    transaction.execute(ONE_AT_A_TIME, &[])?;
    let failed = transaction.query(statement, &[]).with_context(|| statement.to_string())?;
    transaction.commit()?;
    Ok(failed.iter().map(|row| row.get(0)).collect())
}

/// Writes the consequences of failed tasks one by one, as HandleFailedTasks. The server may be killed before each of
/// them.
pub fn handle(session: &mut Session, failed: &[Uuid]) -> Result<()> {
    let began = Instant::now();
    for task in failed {
        if began.elapsed() > LONGEST_PASS || session.chance(30) {
            session.load.tally.killed.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        // The server asks Redis and publishes events in between.
        session.pause(30);
        if !retry(session, *task).context("retry of the server")? {
            reset_issue(&mut session.client, *task).context("reset of the server")?;
        }
        refresh_agent(&mut session.client, *task).context("status of the server")?;
    }
    Ok(())
}

/// Queues the retry of a task that the sweeper has failed. The server does not lock the chat session before, so that its
/// insert can deadlock with its own message to the chat. This statement does, so that every deadlock is one with the
/// extension.
fn retry(session: &mut Session, failed: Uuid) -> Result<bool> {
    let mut transaction = session.client.transaction()?;
    lock_chat(&mut transaction, failed)?;
    let is_queued = create_retry(&mut transaction, failed)?;
    transaction.commit()?;
    Ok(is_queued)
}
