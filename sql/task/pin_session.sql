-- An empty argument keeps the pinned session. $5: the time at which the caller's claim dispatched the task, NULL for any claim.
UPDATE agent_task_queue AS t
SET
    -- feature task_beat
    last_heartbeat_at = $4,
    -- end task_beat
    session_id = COALESCE(NULLIF($2, ''), t.session_id),
    work_dir = COALESCE(NULLIF($3, ''), t.work_dir)
WHERE t.id = $1
  AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
  AND ($5 IS NULL OR t.dispatched_at = $5)
