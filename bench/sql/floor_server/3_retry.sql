-- The retry is deferred until its runtime is back, and has the provenance of the failed task. No unique index keeps it from being
-- a second one, so a task that waits or is in flight for the same issue and agent is searched.
CREATE TEMP TABLE retried ON COMMIT DROP AS
WITH n AS (
    INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, priority,
                                  context, session_id, work_dir, max_attempts, attempt, parent_task_id, status, fire_at,
                                  trigger_summary, force_fresh_session, is_leader_task, squad_id, originator_user_id,
                                  accountable_user_id, originator_source, delegated_from_task_id, retry_of_task_id,
                                  rule_version_id, trigger_evidence_kind, trigger_evidence_ref_id, coalesced_comment_ids,
                                  chat_input_task_id, channel_context_revision)
    SELECT f.agent_id, a.runtime_id, f.issue_id, f.chat_session_id, f.autopilot_run_id, f.trigger_comment_id, f.priority,
           f.context, CASE WHEN NOT f.session_rollout_missing THEN f.session_id END, f.work_dir, f.max_attempts, f.attempt + 1,
           f.id, 'deferred', now() + interval '1 second',
           f.trigger_summary, f.force_fresh_session AND f.session_id IS NULL, f.is_leader_task, f.squad_id, f.originator_user_id,
           COALESCE(f.originator_user_id, f.accountable_user_id), f.originator_source, f.delegated_from_task_id, f.id,
           f.rule_version_id, f.trigger_evidence_kind, f.trigger_evidence_ref_id, f.coalesced_comment_ids,
           f.chat_input_task_id, f.channel_context_revision
    FROM failed AS f
    JOIN agent AS a ON a.id = f.agent_id
    WHERE f.attempt < f.max_attempts AND f.autopilot_run_id IS NULL AND a.archived_at IS NULL AND a.runtime_id IS NOT NULL
      AND (f.issue_id IS NOT NULL OR f.chat_session_id IS NOT NULL)
      AND NOT EXISTS (
          SELECT FROM agent_task_queue AS o
          WHERE o.issue_id = f.issue_id AND o.agent_id = f.agent_id AND o.id <> f.id
            AND (o.status NOT IN ('completed', 'failed', 'cancelled', 'deferred') OR o.retry_of_task_id = f.id)
      )
    RETURNING *
)
SELECT * FROM n;
ANALYZE retried
