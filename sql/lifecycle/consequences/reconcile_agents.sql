-- The agents $1: working while a task is neither queued nor final, otherwise idle; written only if that changes something. The
-- order is that of the index of tasks in flight, so that no other index is read for it.
UPDATE agent AS a
SET status = n.status, updated_at = $2
FROM (
    SELECT
        w.id,
        COALESCE((
            SELECT 'working'
            FROM agent_task_queue AS o
            WHERE o.agent_id = w.id AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued')
            ORDER BY o.dispatched_at
            LIMIT 1
        ), 'idle') AS status
    FROM pg_catalog.unnest($1) AS w (id)
) AS n
WHERE a.id = n.id AND a.status <> n.status
RETURNING a.id
