-- The ordinary beat of an online runtime, in one index lookup. A runtime that a sweep is just setting offline no longer
-- matches when the sweep commits, and goes the way of revive.sql. $3: what the daemon says it runs, to be told
-- what of that is no longer in flight here.
UPDATE agent_runtime AS r
SET status = 'online', last_seen_at = $2, updated_at = $2
WHERE r.id = $1 AND r.status = 'online'
RETURNING
    r.*,
    CASE WHEN $3 IS NOT NULL THEN ARRAY(
        SELECT g.id
        FROM pg_catalog.unnest($3) WITH ORDINALITY AS g (id, at)
        WHERE NOT EXISTS (
            SELECT FROM agent_task_queue AS t
            WHERE t.id = g.id AND t.runtime_id = r.id AND t.status IN ('dispatched', 'running')
        )
        ORDER BY g.at
    ) END AS stop_task_ids
