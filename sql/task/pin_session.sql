-- $2 to $7 are where the run is, as in complete.sql. $8: now. $9: the time at which the caller's claim dispatched the task, NULL for any
-- claim.
UPDATE agent_task_queue AS t
SET
    -- feature task_beat
    last_heartbeat_at = $8,
    -- end task_beat
    -- feature branch
    branch_name = COALESCE(NULLIF($4, ''), t.branch_name),
    -- end branch
    -- feature durable
    durable_work_dir = COALESCE(NULLIF($5, ''), t.durable_work_dir),
    -- end durable
    -- feature retired
    retired_session_id = COALESCE(
        NULLIF($6, ''),
        -- feature rollout
        CASE WHEN $7 THEN COALESCE(NULLIF($2, ''), t.session_id) END,
        -- end rollout
        t.retired_session_id
    ),
    -- end retired
    -- feature rollout
    session_rollout_missing = COALESCE($7, t.session_rollout_missing),
    session_id = CASE WHEN $7 IS NOT TRUE THEN COALESCE(NULLIF($2, ''), t.session_id) END,
    -- end rollout
    -- without rollout
    --| session_id = COALESCE(NULLIF($2, ''), t.session_id),
    -- end rollout
    work_dir = COALESCE(NULLIF($3, ''), t.work_dir)
WHERE t.id = $1
  AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
  AND ($9 IS NULL OR t.dispatched_at = $9)
