SELECT r.* FROM agent_runtime AS r WHERE r.id = $1 AND r.workspace_id = $2
