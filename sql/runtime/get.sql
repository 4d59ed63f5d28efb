SELECT r.* FROM agent_runtime AS r WHERE r.id = $1
