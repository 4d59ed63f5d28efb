SELECT id, created_at, type, workspace_id, payload FROM multica_take_events('bench', $2)
