SELECT r.workspace_id FROM agent_runtime AS r WHERE r.id = $1
