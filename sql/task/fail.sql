UPDATE agent_task_queue AS t
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature waiting
    wait_reason = NULL,
    -- end waiting
    status = 'failed', completed_at = $2, error = $3, failure_reason = COALESCE(NULLIF($4, ''), 'agent_error'),
    session_id = COALESCE(NULLIF($5, ''), t.session_id),
    work_dir = COALESCE(NULLIF($6, ''), t.work_dir)
WHERE t.id = $1 AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error
