-- The agents of the tasks $1, and the agents $3. Working while any task is neither queued nor over, idle otherwise; written only where that changes something.
UPDATE agent AS a
SET status = n.status, updated_at = $2
FROM (
    SELECT
        w.id,
        CASE WHEN EXISTS (
            SELECT FROM agent_task_queue AS o
            WHERE o.agent_id = w.id AND o.status NOT IN ('completed', 'failed', 'cancelled') AND o.status <> 'queued'
        ) THEN 'working' ELSE 'idle' END AS status
    FROM (
        SELECT t.agent_id AS id FROM agent_task_queue AS t WHERE t.id = ANY ($1)
        UNION
        SELECT g.id FROM pg_catalog.unnest($3) AS g (id)
    ) AS w
) AS n
WHERE a.id = n.id AND a.status <> n.status
RETURNING a.id
