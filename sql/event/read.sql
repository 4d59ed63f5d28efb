SELECT e.id, e.created_at, e.type, e.workspace_id, e.payload
FROM multica_event_log AS e
WHERE e.id > $1 AND e.id <= $2
ORDER BY e.id
LIMIT $3
