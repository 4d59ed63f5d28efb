SELECT id, created_at, type, workspace_id, payload FROM multica_events($1, $2)
