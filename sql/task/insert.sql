-- Inserts nothing if the pending slot of (issue, agent) is taken. The conflict target is inferred from columns and predicate,
-- because every version of the schema has an index that matches them. A conflict with any other unique index is an error that names
-- the index.
INSERT INTO agent_task_queue (
    agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, status, priority, attempt,
    max_attempts, context, session_id, work_dir, created_at
)
VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, 1, $8, $9, $10, $11, $12)
ON CONFLICT (issue_id, agent_id) WHERE status IN ('queued', 'dispatched') DO NOTHING
RETURNING id, agent_id, issue_id, runtime_id, chat_session_id, autopilot_run_id, parent_task_id, status, attempt, max_attempts,
    failure_reason, error
