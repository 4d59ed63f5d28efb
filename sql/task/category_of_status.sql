-- Returns the category of the status $2 that the workspace of the issue $1 has defined; no row if it has not.
-- feature open_status
SELECT s.category
FROM issue AS i
JOIN issue_status AS s ON s.workspace_id = i.workspace_id AND s.key = $2
WHERE i.id = $1 AND s.archived_at IS NULL
-- end open_status
-- without open_status
--| SELECT NULL::text AS category WHERE false
-- end open_status
