-- As left_behind.sql, for deferred tasks. The search goes from one runtime to the next in the index of deferred tasks, and skips
-- the tasks of a runtime that is not gone.
WITH RECURSIVE waiting AS (
    (
        SELECT t.runtime_id
        FROM agent_task_queue AS t
        WHERE t.status = 'deferred'
        ORDER BY t.runtime_id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT t.runtime_id
        FROM agent_task_queue AS t
        WHERE t.status = 'deferred' AND t.runtime_id > w.runtime_id
        ORDER BY t.runtime_id
        LIMIT 1
    )
    FROM waiting AS w
    WHERE w.runtime_id IS NOT NULL
),
gone AS MATERIALIZED (
    SELECT w.runtime_id
    FROM waiting AS w
    WHERE (
        SELECT r.status = 'offline' OR COALESCE(r.last_seen_at, r.updated_at) < $3 - make_interval(secs => $4)
        FROM agent_runtime AS r
        WHERE r.id = w.runtime_id
    )
)
SELECT m.id
FROM gone AS g
CROSS JOIN LATERAL (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'deferred'
      AND t.runtime_id = g.runtime_id
      AND t.id <> ALL ($2)
      AND (SELECT a.runtime_id <> t.runtime_id FROM agent AS a WHERE a.id = t.agent_id)
    ORDER BY t.runtime_id
    LIMIT $1
) AS m
LIMIT $1
