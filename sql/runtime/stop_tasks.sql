-- Of what a daemon says it runs, what is no longer in flight on its runtime, in the order given. Apart from the beat: most
-- beats do not ask, and the plan of one that might would open the tasks each time.
SELECT COALESCE(pg_catalog.array_agg(g.id ORDER BY g.at), '{}')
FROM pg_catalog.unnest($2) WITH ORDINALITY AS g (id, at)
WHERE NOT EXISTS (
    SELECT FROM agent_task_queue AS t
    WHERE t.id = g.id AND t.runtime_id = $1 AND t.status IN ('dispatched', 'running')
)
