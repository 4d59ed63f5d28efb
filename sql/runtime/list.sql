SELECT r.* FROM agent_runtime AS r WHERE r.workspace_id = $1 ORDER BY r.created_at, r.id
