-- As read.sql, for the events of the workspace $4.
SELECT e.id, e.created_at, e.type, e.workspace_id, e.payload
FROM multica_event_log AS e
WHERE e.workspace_id = $4 AND e.id > $1 AND e.id <= $2
ORDER BY e.id
LIMIT $3
