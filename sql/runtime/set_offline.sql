-- Locked in the order of their ids, as every statement on several runtimes.
WITH wanted AS MATERIALIZED (
    SELECT r.id, r.status FROM agent_runtime AS r WHERE r.id = ANY ($1) ORDER BY r.id FOR NO KEY UPDATE
)
UPDATE agent_runtime AS r
SET status = 'offline', updated_at = $2
FROM wanted AS w
WHERE r.id = w.id AND w.status <> 'offline'
RETURNING r.id, r.workspace_id
