-- Returns the autopilot runs of the issue of a task that have not ended.
SELECT r.id
FROM agent_task_queue AS t
JOIN autopilot_run AS r ON r.issue_id = t.issue_id
WHERE t.id = $1 AND r.status IN ('issue_created', 'running')
