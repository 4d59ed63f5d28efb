-- $5 to $10 are where the run ended, as in complete.sql.
UPDATE agent_task_queue AS t
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature waiting
    wait_reason = NULL,
    -- end waiting
    -- feature branch
    branch_name = COALESCE(NULLIF($7, ''), t.branch_name),
    -- end branch
    -- feature durable
    durable_work_dir = COALESCE(NULLIF($8, ''), t.durable_work_dir),
    -- end durable
    -- feature retired
    retired_session_id = COALESCE(
        NULLIF($9, ''),
        -- feature rollout
        CASE WHEN $10 THEN COALESCE(NULLIF($5, ''), t.session_id) END,
        -- end rollout
        t.retired_session_id
    ),
    -- end retired
    -- feature rollout
    session_rollout_missing = COALESCE($10, t.session_rollout_missing),
    session_id = CASE WHEN $10 IS NOT TRUE THEN COALESCE(NULLIF($5, ''), t.session_id) END,
    -- end rollout
    -- without rollout
    --| session_id = COALESCE(NULLIF($5, ''), t.session_id),
    -- end rollout
    work_dir = COALESCE(NULLIF($6, ''), t.work_dir),
    status = 'failed', completed_at = $2, error = $3, failure_reason = $4
WHERE t.id = $1 AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error
