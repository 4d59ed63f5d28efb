-- A sign of life of runtimes in any state, each locked first in the order of its id; which of them came back is known
-- only under the lock.
WITH seen AS MATERIALIZED (
    SELECT r.id, r.status FROM agent_runtime AS r WHERE r.id = ANY ($1) ORDER BY r.id FOR NO KEY UPDATE
)
UPDATE agent_runtime AS r
SET status = 'online', last_seen_at = $2, updated_at = $2
FROM seen AS s
WHERE r.id = s.id
RETURNING r.id, r.workspace_id, s.status <> 'online'
