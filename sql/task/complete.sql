-- A pinned session survives an empty argument.
UPDATE agent_task_queue AS t
SET status = 'completed', completed_at = $2, result = $3,
    session_id = COALESCE(NULLIF($4, ''), t.session_id),
    work_dir = COALESCE(NULLIF($5, ''), t.work_dir)
WHERE t.id = $1 AND t.status = 'running'
RETURNING t.id
