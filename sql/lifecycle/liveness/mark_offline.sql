-- Sets runtimes offline that the caller has locked and found not yet offline under the lock.
UPDATE agent_runtime AS r
SET status = 'offline', updated_at = $2
WHERE r.id = ANY ($1)
RETURNING r.id AS runtime_id, r.workspace_id
