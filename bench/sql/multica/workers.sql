SELECT id FROM agent_runtime ORDER BY id
