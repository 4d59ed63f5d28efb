-- A run follows its task to the end, and only once.
UPDATE autopilot_run AS r
SET status = CASE WHEN t.status = 'completed' THEN 'completed' ELSE 'failed' END,
    completed_at = $2,
    result = CASE WHEN t.status = 'completed' THEN t.result ELSE r.result END,
    failure_reason = CASE WHEN t.status = 'completed' THEN r.failure_reason ELSE COALESCE(t.error, 'task ' || t.status) END
FROM agent_task_queue AS t
WHERE t.id = ANY ($1)
  AND r.id = t.autopilot_run_id
  AND t.status IN ('completed', 'failed', 'cancelled')
  AND r.status IN ('issue_created', 'running')
RETURNING r.id
