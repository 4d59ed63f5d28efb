UPDATE agent_task_queue AS t
SET status = 'failed', completed_at = $2, error = $3, failure_reason = $4
WHERE t.id = ANY ($1) AND t.status IN ('dispatched', 'running')
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error
