-- Locks and returns the tasks of every offline runtime, oldest first, not only of the runtimes that this sweep has set offline. The
-- runtime is locked too, before the task, so that no task is written while another session holds its runtime: a runtime whose
-- heartbeat is being written is skipped, and a runtime that is online again no longer matches. $2 NULL: no grace. $5: the time at
-- which to begin, NULL for the oldest; the result contains how far the search went. Tasks without a time come last. IS TRUE makes
-- the planner look up each runtime by its id, and not among all offline runtimes.
WITH dated AS MATERIALIZED (
    SELECT t.id, t.dispatched_at
    FROM agent_task_queue AS t
    JOIN agent_runtime AS r ON r.id = t.runtime_id
    WHERE
        -- without waiting
        --| t.status IN ('dispatched', 'running')
        -- end waiting
        -- feature waiting
        t.status IN ('dispatched', 'running', 'waiting_local_directory')
        -- end waiting
        AND t.dispatched_at >= COALESCE($5, '-infinity'::timestamptz)
        AND (r.status = 'offline') IS TRUE
        AND ($2 IS NULL OR COALESCE(r.last_seen_at, r.updated_at) < $1 - make_interval(secs => $2))
        AND t.id <> ALL ($3)
    ORDER BY t.dispatched_at, t.id
    LIMIT $4
    FOR NO KEY UPDATE OF r, t SKIP LOCKED
),
undated AS MATERIALIZED (
    SELECT t.id
    FROM agent_task_queue AS t
    JOIN agent_runtime AS r ON r.id = t.runtime_id
    WHERE
        -- without waiting
        --| t.status IN ('dispatched', 'running')
        -- end waiting
        -- feature waiting
        t.status IN ('dispatched', 'running', 'waiting_local_directory')
        -- end waiting
        AND t.dispatched_at IS NULL
        AND (r.status = 'offline') IS TRUE
        AND ($2 IS NULL OR COALESCE(r.last_seen_at, r.updated_at) < $1 - make_interval(secs => $2))
        AND t.id <> ALL ($3)
    ORDER BY t.dispatched_at, t.id
    LIMIT $4 - (SELECT count(*) FROM dated)
    FOR NO KEY UPDATE OF r, t SKIP LOCKED
)
SELECT d.id, d.dispatched_at AS dispatched_through, NULL::timestamptz AS running_through FROM dated AS d
UNION ALL
SELECT u.id, NULL::timestamptz, NULL::timestamptz FROM undated AS u
