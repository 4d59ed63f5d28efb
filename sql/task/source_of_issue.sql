-- Returns what a task takes from its issue.
SELECT i.workspace_id, i.assignee_id, i.assignee_type, i.priority
FROM issue AS i
WHERE i.id = $1
