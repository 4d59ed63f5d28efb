SELECT r.id FROM agent_runtime AS r WHERE r.id = ANY ($1) ORDER BY r.id FOR KEY SHARE
