DELETE FROM agent_runtime AS r WHERE r.id = ANY ($1)
RETURNING r.id
