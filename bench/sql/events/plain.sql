SELECT id, created_at, type, workspace_id, payload FROM multica_event_log WHERE id > $1 ORDER BY id LIMIT $2
