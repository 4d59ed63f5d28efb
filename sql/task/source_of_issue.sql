-- What a task takes from its issue. $2 NULL: for the issue's assignee, else for that agent.
SELECT
    i.workspace_id,
    CASE WHEN $2 IS NOT NULL THEN $2 ELSE i.assignee_id END,
    CASE i.priority WHEN 'urgent' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END,
    i.assignee_type
FROM issue AS i
WHERE i.id = $1
