-- Records a heartbeat of runtimes that the caller has locked.
UPDATE agent_runtime AS r
SET status = 'online', last_seen_at = $2, updated_at = $2
WHERE r.id = ANY ($1)
RETURNING r.id, r.workspace_id
