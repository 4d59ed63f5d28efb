UPDATE agent_task_queue AS t
SET status = 'cancelled', completed_at = $2
WHERE t.id = ANY ($1) AND t.status IN ('queued', 'dispatched', 'running')
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error
