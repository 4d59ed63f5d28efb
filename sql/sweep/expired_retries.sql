-- Returns deferred retries that wait for a runtime which did not come back: at most $5, without those in $4, that should have been
-- queued more than $2 seconds ago. The runtime is not online, or stale after $3 seconds. The search goes from one runtime to the next
-- in the index of deferred tasks, and skips the tasks of runtimes that are alive, because a claim promotes these.
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
        SELECT r.status = 'online' AND r.last_seen_at >= $1 - make_interval(secs => $3)
        FROM agent_runtime AS r
        WHERE r.id = w.runtime_id
    ) IS NOT TRUE
)
SELECT e.id
FROM gone AS g
CROSS JOIN LATERAL (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'deferred'
      AND t.runtime_id = g.runtime_id
      AND t.fire_at < $1 - make_interval(secs => $2)
      AND t.id <> ALL ($4)
      AND (
          t.parent_task_id IS NOT NULL
          -- feature provenance
          OR t.retry_of_task_id IS NOT NULL
          -- end provenance
      )
    ORDER BY t.runtime_id
    LIMIT $5
) AS e
LIMIT $5
