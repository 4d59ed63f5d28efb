-- Stores where a cancelled run was, for a daemon that reports it late: only what is not stored yet. $2 to $7 are as in complete.sql.
-- $8: the time at which the caller's claim dispatched the task, NULL for any claim.
UPDATE agent_task_queue AS t
SET
    -- feature branch
    branch_name = COALESCE(NULLIF(t.branch_name, ''), NULLIF($4, '')),
    -- end branch
    -- feature durable
    durable_work_dir = COALESCE(NULLIF(t.durable_work_dir, ''), NULLIF($5, '')),
    -- end durable
    -- feature retired
    retired_session_id = COALESCE(
        NULLIF(t.retired_session_id, ''),
        -- feature rollout
        CASE WHEN $7 THEN COALESCE(NULLIF(t.session_id, ''), NULLIF($2, '')) END,
        -- end rollout
        NULLIF($6, '')
    ),
    -- end retired
    -- feature rollout
    session_rollout_missing = t.session_rollout_missing OR COALESCE($7, false),
    -- end rollout
    work_dir = CASE WHEN NULLIF(t.session_id, '') IS NULL THEN COALESCE(NULLIF($3, ''), t.work_dir) ELSE t.work_dir END,
    session_id = COALESCE(NULLIF(t.session_id, ''), CASE WHEN $7 IS NOT TRUE THEN NULLIF($2, '') END)
WHERE t.id = $1
  AND t.status = 'cancelled'
  AND ($8 IS NULL OR t.dispatched_at = $8)
  AND (
      (NULLIF(t.session_id, '') IS NULL AND ((NULLIF($2, '') IS NOT NULL AND $7 IS NOT TRUE) OR NULLIF($3, '') IS NOT NULL))
      -- feature branch
      OR (NULLIF(t.branch_name, '') IS NULL AND NULLIF($4, '') IS NOT NULL)
      -- end branch
      -- feature durable
      OR (NULLIF(t.durable_work_dir, '') IS NULL AND NULLIF($5, '') IS NOT NULL)
      -- end durable
      -- feature retired
      OR (NULLIF(t.retired_session_id, '') IS NULL AND NULLIF($6, '') IS NOT NULL)
      -- end retired
      -- feature rollout
      OR ($7 AND NOT t.session_rollout_missing)
      -- end rollout
  )
RETURNING COALESCE(t.session_id = $2 AND $7 IS NOT TRUE, false)
