//! What the server writes when a task ends, as its sweeper and its daemons' calls do.

use anyhow::Result;
use postgres::{GenericClient, Transaction};
use uuid::Uuid;

use super::Session;

/// A server's failures that it retries, with the number of attempts.
pub const IS_RETRYABLE: &str = "
    p.failure_reason IN (
        'runtime_offline', 'runtime_recovery', 'timeout', 'skill_bundle_unavailable', 'agent_error.provider_network',
        'codex_semantic_inactivity'
    )
    AND p.max_attempts > 1
    AND p.attempt < CASE p.failure_reason WHEN 'agent_error.provider_network' THEN 3 ELSE p.max_attempts END
    AND p.autopilot_run_id IS NULL
    AND (p.issue_id IS NOT NULL OR p.chat_session_id IS NOT NULL)";

/// The retry of the failed task $1. It does not ask whether there is one already. `quick_actions_disabled`, which the
/// server never sets for a retry, marks the retries of the server.
fn retry() -> String {
    format!(
        "INSERT INTO agent_task_queue (
             agent_id, runtime_id, issue_id, chat_session_id, trigger_comment_id, trigger_summary, context, session_id, work_dir,
             force_fresh_session, originator_user_id, accountable_user_id, chat_input_task_id, priority, attempt, max_attempts,
             parent_task_id, retry_of_task_id, status, fire_at, quick_actions_disabled
         )
         SELECT
             p.agent_id, p.runtime_id, p.issue_id, p.chat_session_id, p.trigger_comment_id, p.trigger_summary, p.context,
             CASE WHEN p.failure_reason <> 'codex_semantic_inactivity' THEN p.session_id END,
             CASE WHEN p.failure_reason <> 'codex_semantic_inactivity' THEN p.work_dir END,
             p.failure_reason = 'codex_semantic_inactivity', p.originator_user_id, p.accountable_user_id, p.chat_input_task_id,
             CASE WHEN p.chat_session_id IS NULL THEN p.priority ELSE GREATEST(p.priority, 3) END,
             p.attempt + 1, CASE p.failure_reason WHEN 'agent_error.provider_network' THEN 3 ELSE p.max_attempts END, p.id, p.id,
             CASE WHEN d.is_deferred THEN 'deferred' ELSE 'queued' END,
             CASE WHEN d.is_deferred THEN now() + interval '1 s' END,
             true
         FROM agent_task_queue AS p
         CROSS JOIN LATERAL (
             SELECT p.failure_reason = 'runtime_offline'
                 OR (p.failure_reason = 'agent_error.provider_network' AND p.attempt = 2) AS is_deferred
         ) AS d
         WHERE p.id = $1 AND {IS_RETRYABLE}
           AND NOT EXISTS (
               SELECT FROM agent_task_queue AS o
               WHERE o.issue_id = p.issue_id AND o.agent_id = p.agent_id
                 AND (o.status IN ('queued', 'dispatched')
                     OR (o.status = 'deferred' AND o.context ->> 'channel_issue_media_pending' = 'true'))
           )
           AND lock_task_owner_rows(p.agent_id, p.issue_id, p.runtime_id)
         ON CONFLICT (issue_id, agent_id) WHERE status IN ('queued', 'dispatched')
             OR (status = 'deferred' AND context ->> 'channel_issue_media_pending' = 'true')
             DO NOTHING
         RETURNING id"
    )
}

/// Queues the retry of a failed task, as CreateRetryTask. Returns whether there is one now.
pub fn create_retry(client: &mut impl GenericClient, failed: Uuid) -> Result<bool> {
    Ok(client.query_opt(&retry(), &[&failed])?.is_some())
}

/// Resets the issue of a failed task that is in progress without an active task, in two transactions and without asking
/// again.
pub fn reset_issue(client: &mut impl GenericClient, failed: Uuid) -> Result<()> {
    let found = client.query_opt(
        "SELECT i.id FROM agent_task_queue AS t JOIN issue AS i ON i.id = t.issue_id
         WHERE t.id = $1 AND issue_effective_status(i.workspace_id, i.status) = 'in_progress'
           AND NOT EXISTS (
               SELECT FROM agent_task_queue AS o
               WHERE o.issue_id = i.id AND o.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory')
           )",
        &[&failed],
    )?;
    if let Some(issue) = found {
        client.execute(
            "UPDATE issue
             SET status = 'todo', revision = revision + 1, updated_at = now(),
                 last_activity_at = GREATEST(COALESCE(last_activity_at, updated_at), now())
             WHERE id = $1",
            &[&issue.get::<_, Uuid>(0)],
        )?;
    }
    Ok(())
}

/// Sets the status of the agent of a task, as RefreshAgentStatusFromTasks.
pub fn refresh_agent(client: &mut impl GenericClient, task: Uuid) -> Result<()> {
    client.execute(
        "UPDATE agent AS a SET status = n.status, updated_at = now()
         FROM (
             SELECT t.agent_id AS id, CASE WHEN EXISTS (
                 SELECT FROM agent_task_queue AS o WHERE o.agent_id = t.agent_id AND o.status IN ('dispatched', 'running')
             ) THEN 'working' ELSE 'idle' END AS status
             FROM agent_task_queue AS t WHERE t.id = $1
         ) AS n
         WHERE a.id = n.id AND a.status IS DISTINCT FROM n.status",
        &[&task],
    )?;
    Ok(())
}

/// Locks the chat session of a task.
pub fn lock_chat(transaction: &mut Transaction, task: Uuid) -> Result<()> {
    transaction.execute(
        "SELECT FROM chat_session WHERE id = (SELECT t.chat_session_id FROM agent_task_queue AS t WHERE t.id = $1) FOR UPDATE",
        &[&task],
    )?;
    Ok(())
}

/// Ends a task in one transaction, after a lock on its chat session: `end` updates the task $1 and returns a row if it
/// did. A task that has failed gets its retry in the same transaction.
pub fn end(session: &mut Session, task: Uuid, end: &str, is_failure: bool) -> Result<()> {
    let mut transaction = session.client.transaction()?;
    lock_chat(&mut transaction, task)?;
    let has_ended = transaction.query_opt(end, &[&task])?.is_some();
    if has_ended && is_failure {
        create_retry(&mut transaction, task)?;
    }
    transaction.commit()?;
    refresh_agent(&mut session.client, task)?;
    session.client.execute("DELETE FROM task_token WHERE task_id = $1", &[&task])?;
    Ok(())
}
