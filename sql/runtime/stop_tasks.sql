-- Of the tasks that a daemon runs, those that are no longer in flight on its runtime, in the order given. Apart from the
-- heartbeat: most heartbeats do not ask, and the plan of one that might would open the tasks each time.
SELECT COALESCE(pg_catalog.array_agg(g.id ORDER BY g.at), '{}')
FROM pg_catalog.unnest($2) WITH ORDINALITY AS g (id, at)
WHERE NOT EXISTS (
    SELECT FROM agent_task_queue AS t
    WHERE t.id = g.id AND t.runtime_id = $1 AND t.status IN ('dispatched', 'running')
)
