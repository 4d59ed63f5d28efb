-- Queues those of the tasks $1 that are still deferred. created_at and fire_at stay as they are.
UPDATE agent_task_queue AS t
SET status = 'queued'
WHERE t.id = ANY ($1) AND t.status = 'deferred'
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error
