-- The pending slot of (issue, agent) may be taken; its predicate differs between schema versions, so no conflict target is
-- named.
INSERT INTO agent_task_queue (
    agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, status, priority, attempt,
    max_attempts, context, session_id, work_dir, created_at
)
VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, 1, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING
RETURNING id, agent_id, issue_id, runtime_id, chat_session_id, autopilot_run_id, parent_task_id, status, attempt, max_attempts,
    failure_reason, error
