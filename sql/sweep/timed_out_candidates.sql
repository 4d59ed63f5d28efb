-- Locks and returns tasks that were dispatched or running for too long, each kind in the order of its own index. $2 and $3: the
-- seconds that a task may be dispatched, and running. $6 and $7: the times at which to begin, NULL for the oldest; the result
-- contains how far the search went.
WITH dispatched AS MATERIALIZED (
    SELECT t.id, t.dispatched_at
    FROM agent_task_queue AS t
    WHERE t.status = 'dispatched'
      AND t.dispatched_at >= COALESCE($6, '-infinity'::timestamptz)
      AND t.dispatched_at < $1 - make_interval(secs => $2)
      AND t.id <> ALL ($4)
    ORDER BY t.dispatched_at, t.id
    LIMIT $5
    FOR UPDATE SKIP LOCKED
),
running AS MATERIALIZED (
    SELECT t.id, t.started_at
    FROM agent_task_queue AS t
    WHERE t.status = 'running'
      AND t.started_at >= COALESCE($7, '-infinity'::timestamptz)
      AND t.started_at < $1 - make_interval(secs => $3)
      AND t.id <> ALL ($4)
    ORDER BY t.started_at, t.id
    LIMIT $5 - (SELECT count(*) FROM dispatched)
    FOR UPDATE SKIP LOCKED
)
SELECT d.id, d.dispatched_at AS dispatched_through, NULL::timestamptz AS started_through FROM dispatched AS d
UNION ALL
SELECT r.id, NULL::timestamptz, r.started_at FROM running AS r
