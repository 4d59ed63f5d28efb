SELECT
    p.workspace_id, p.assignee_id,
    CASE p.priority WHEN 'urgent' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END,
    r.status, r.task_id
FROM autopilot_run AS r
JOIN autopilot AS p ON p.id = r.autopilot_id
WHERE r.id = $1
