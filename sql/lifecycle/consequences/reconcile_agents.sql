-- Sets the agents $1 to working if they have a task that is dispatched, running or of a status that this version does not know,
-- otherwise to idle. An agent is written only if its status changes. The ORDER BY is that of the index of such tasks, so that no
-- other index is read.
UPDATE agent AS a
SET status = n.status, updated_at = $2
FROM (
    SELECT
        w.id,
        COALESCE((
            SELECT 'working'
            FROM agent_task_queue AS o
            WHERE o.agent_id = w.id
              AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred', 'waiting_local_directory')
            ORDER BY o.dispatched_at
            LIMIT 1
        ), 'idle') AS status
    FROM pg_catalog.unnest($1) AS w (id)
) AS n
WHERE a.id = n.id AND a.status <> n.status
RETURNING a.id
