SELECT p.workspace_id, p.assignee_id, p.priority, r.status, r.task_id
FROM autopilot_run AS r
JOIN autopilot AS p ON p.id = r.autopilot_id
WHERE r.id = $1
