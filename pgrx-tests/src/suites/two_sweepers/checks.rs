//! What holds during the load, and what holds when all runtimes are silent and the last sweep is over.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Session;
use super::tasks::IS_RETRYABLE;
use crate::cluster::Cluster;
use crate::suites::support::{LIMIT, value, values};

/// What never happens. Each query returns the rows that violate its sentence.
const ALWAYS: [(&str, &str); 6] = [
    (
        "a failed task has at most one retry",
        "SELECT parent_task_id, count(*), string_agg(status || CASE WHEN quick_actions_disabled THEN ' (server)' ELSE '' END, ', ')
         FROM agent_task_queue WHERE parent_task_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1",
    ),
    (
        "an issue and agent, and a chat, have at most one task in flight",
        "SELECT agent_id, COALESCE(issue_id, chat_session_id), count(*)
         FROM agent_task_queue WHERE status IN ('dispatched', 'running', 'waiting_local_directory')
         GROUP BY 1, 2 HAVING count(*) > 1",
    ),
    (
        "an agent has no more tasks in flight than it may have",
        "SELECT a.name, count(*)
         FROM agent_task_queue AS t JOIN agent AS a ON a.id = t.agent_id
         WHERE t.status IN ('dispatched', 'running', 'waiting_local_directory')
         GROUP BY a.name, a.max_concurrent_tasks HAVING count(*) > a.max_concurrent_tasks",
    ),
    (
        "an ended task has an end and no lease",
        "SELECT id, status FROM agent_task_queue
         WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at IS NULL",
    ),
    ("no sweep resets an issue that has an active task", "SELECT * FROM wrong_reset"),
    ("no row is refused", "SELECT refused_ids, last_error FROM multica_sweep_state WHERE last_error IS NOT NULL"),
];

/// Checks until the end of the load.
pub fn watch(session: &mut Session, _number: usize) -> Result<()> {
    while !session.load.is_over() {
        always(&mut session.client)?;
        session.pause(400);
    }
    Ok(())
}

fn always(client: &mut Client) -> Result<()> {
    for (sentence, query) in ALWAYS {
        none(client, sentence, query)?;
    }
    Ok(())
}

fn none(client: &mut Client, sentence: &str, query: &str) -> Result<()> {
    let rows = values(client, query)?;
    ensure!(rows.is_empty(), "{sentence}, but:\n{}", rows[..rows.len().min(5)].join("\n"));
    Ok(())
}

/// The server and all daemons are gone. Sweeps end everything that is left, and nothing was left out.
pub fn finish(client: &mut Client) -> Result<()> {
    client.batch_execute("UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour'")?;
    // A queued retry waits for the runtime with which its parent was lost, however long that takes.
    let left = "SELECT count(*) FROM agent_task_queue AS t WHERE t.status NOT IN ('completed', 'failed', 'cancelled')
                AND NOT (t.status = 'queued' AND EXISTS (
                    SELECT FROM agent_task_queue AS p WHERE p.id = t.parent_task_id AND p.failure_reason = 'runtime_offline'))";
    let missing = format!(
        "SELECT p.id, p.failure_reason, p.attempt, p.handoff_note, p.completed_at,
             (SELECT count(*) FROM agent_task_queue AS c WHERE c.parent_task_id = p.id)
         FROM agent_task_queue AS p
         WHERE p.status = 'failed' AND p.issue_id IS NOT NULL AND {IS_RETRYABLE}
           AND NOT EXISTS (SELECT FROM agent_task_queue AS c WHERE c.parent_task_id = p.id)"
    );
    let work =
        "SELECT tasks_failed + tasks_timed_out + tasks_retried + issues_reset + agents_reconciled FROM multica_sweep()";
    let ended = Cluster::wait_until("sweeps end all tasks", LIMIT, || {
        let done = value(client, work)?;
        Ok(value(client, left)? == "0" && values(client, &missing)?.is_empty() && done == "0")
    });
    if let Err(error) = ended {
        let open = values(
            client,
            "SELECT id, status, created_at, fire_at FROM agent_task_queue
             WHERE status NOT IN ('completed', 'failed', 'cancelled') LIMIT 5",
        )?;
        none(client, "a failed task of an issue has a retry", &missing)?;
        return Err(error).with_context(|| format!("left are {open:?}"));
    }
    always(client)?;
    none(
        client,
        "a failure that is not retried has no retry",
        &format!(
            "SELECT p.id, p.failure_reason, p.attempt FROM agent_task_queue AS p
             WHERE EXISTS (SELECT FROM agent_task_queue AS c WHERE c.parent_task_id = p.id)
               AND (p.status <> 'failed' OR ({IS_RETRYABLE}) IS NOT TRUE)"
        ),
    )?;
    // The server leaves the issue in progress if the daemon itself reports the failure.
    none(
        client,
        "no issue stays in progress after a sweep has failed its last task",
        "SELECT i.id FROM issue AS i
         WHERE i.status = 'in_progress' AND (
             SELECT t.failure_reason FROM agent_task_queue AS t WHERE t.issue_id = i.id
             ORDER BY t.completed_at DESC NULLS FIRST, t.id DESC LIMIT 1
         ) IN ('runtime_offline', 'runtime_recovery', 'timeout', 'queued_expired', 'runtime_reconnect_timeout')",
    )?;
    none(client, "no agent works", "SELECT name, status FROM agent WHERE status <> 'idle'")
}
