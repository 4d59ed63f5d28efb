-- Sets a running task to completed. $4 to $9 are where the run ended: session, directory, branch, durable directory, the session that
-- was given up, and whether the transcript of the session is missing. An empty value keeps the pinned one. A session without its
-- transcript counts as given up. $10: the time at which the caller's claim dispatched the task, NULL for any claim.
UPDATE agent_task_queue AS asked
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature waiting
    wait_reason = NULL,
    -- end waiting
    -- feature branch
    branch_name = COALESCE(NULLIF($6, ''), asked.branch_name),
    -- end branch
    -- feature durable
    durable_work_dir = COALESCE(NULLIF($7, ''), asked.durable_work_dir),
    -- end durable
    -- feature retired
    retired_session_id = COALESCE(
        NULLIF($8, ''),
        -- feature rollout
        CASE WHEN $9 THEN COALESCE(NULLIF($4, ''), asked.session_id) END,
        -- end rollout
        asked.retired_session_id
    ),
    -- end retired
    -- feature rollout
    session_rollout_missing = COALESCE($9, asked.session_rollout_missing),
    session_id = CASE WHEN $9 IS NOT TRUE THEN COALESCE(NULLIF($4, ''), asked.session_id) END,
    -- end rollout
    -- without rollout
    --| session_id = COALESCE(NULLIF($4, ''), asked.session_id),
    -- end rollout
    work_dir = COALESCE(NULLIF($5, ''), asked.work_dir),
    status = 'completed', completed_at = $2, result = $3
WHERE asked.id = $1
  AND asked.status = 'running'
  AND ($10 IS NULL OR asked.dispatched_at = $10)
RETURNING
    COALESCE(
        (SELECT i.workspace_id FROM issue AS i WHERE i.id = asked.issue_id),
        (SELECT c.workspace_id FROM chat_session AS c WHERE c.id = asked.chat_session_id),
        (
            SELECT p.workspace_id FROM autopilot AS p
            WHERE p.id = (SELECT r.autopilot_id FROM autopilot_run AS r WHERE r.id = asked.autopilot_run_id)
        ),
        (SELECT a.workspace_id FROM agent AS a WHERE a.id = asked.agent_id)
    ) AS workspace_id,
    asked.*
