-- An autopilot run ends with its task, and only once.
UPDATE autopilot_run AS r
SET status = 'failed', completed_at = $2, failure_reason = COALESCE(t.error, 'task ' || t.status)
FROM agent_task_queue AS t
WHERE t.id = ANY ($1)
  AND r.id = t.autopilot_run_id
  AND t.status IN ('failed', 'cancelled')
  AND r.status IN ('issue_created', 'running')
RETURNING r.id
