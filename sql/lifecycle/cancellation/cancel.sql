-- $3 and $4: why, NULL or empty for no change.
UPDATE agent_task_queue AS t
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature waiting
    wait_reason = NULL,
    -- end waiting
    status = 'cancelled', completed_at = $2,
    error = COALESCE(NULLIF($3, ''), t.error),
    failure_reason = COALESCE(NULLIF($4, ''), t.failure_reason)
WHERE t.id = ANY ($1) AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error
