UPDATE workspace AS w
SET issue_counter = n.last_number
FROM (SELECT i.workspace_id, max(i."number") AS last_number FROM issue AS i GROUP BY i.workspace_id) AS n
WHERE n.workspace_id = w.id AND w.issue_counter < n.last_number
