-- Claims and starts the retry $1 for the process that had the failed task $2, at $3. The run continues, so the retry gets what the
-- failed task stores about the run: where it is, what it has given up, and which comments its process has received.
UPDATE agent_task_queue AS t
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature waiting
    wait_reason = NULL,
    -- end waiting
    -- feature delivered
    delivered_comment_ids = f.delivered_comment_ids,
    -- end delivered
    -- feature branch
    branch_name = COALESCE(f.branch_name, t.branch_name),
    -- end branch
    -- feature durable
    durable_work_dir = COALESCE(f.durable_work_dir, t.durable_work_dir),
    -- end durable
    -- feature retired
    retired_session_id = COALESCE(f.retired_session_id, t.retired_session_id),
    -- end retired
    -- feature rollout
    session_rollout_missing = f.session_rollout_missing,
    -- end rollout
    session_id = COALESCE(f.session_id, t.session_id),
    work_dir = COALESCE(f.work_dir, t.work_dir),
    status = 'running', dispatched_at = $3, started_at = $3
FROM agent_task_queue AS f
WHERE t.id = $1 AND f.id = $2 AND t.status IN ('queued', 'deferred')
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error
