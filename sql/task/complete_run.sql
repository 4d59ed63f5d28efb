-- An autopilot run ends with its task, and only once.
UPDATE autopilot_run AS r
SET status = 'completed', completed_at = $2, result = $3
WHERE r.id = $1 AND r.status IN ('issue_created', 'running')
