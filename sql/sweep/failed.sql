SELECT
    t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error
FROM agent_task_queue AS t
WHERE t.id = ANY ($1) AND t.status = 'failed'
ORDER BY t.created_at, t.id
