-- Each kind in the order of its own index. $2 and $3: seconds that a task may be dispatched, and running.
WITH dispatched AS MATERIALIZED (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status IN ('dispatched', 'running')
      AND t.status = 'dispatched'
      AND t.dispatched_at < $1 - make_interval(secs => $2)
      AND t.id <> ALL ($4)
    ORDER BY t.dispatched_at, t.id
    LIMIT $5
    FOR UPDATE SKIP LOCKED
),
running AS MATERIALIZED (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'running' AND t.started_at < $1 - make_interval(secs => $3) AND t.id <> ALL ($4)
    ORDER BY t.started_at, t.id
    LIMIT $5 - (SELECT count(*) FROM dispatched)
    FOR UPDATE SKIP LOCKED
)
SELECT d.id FROM dispatched AS d
UNION ALL
SELECT r.id FROM running AS r
