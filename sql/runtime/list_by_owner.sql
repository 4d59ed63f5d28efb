SELECT r.* FROM agent_runtime AS r WHERE r.workspace_id = $1 AND r.owner_id = $2 ORDER BY r.created_at, r.id
