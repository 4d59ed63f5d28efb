-- Returns the tasks in $2 that are no longer in flight on the runtime $1, in the given order. It is not part of the heartbeat's
-- statement, because most heartbeats pass no tasks, and the plan of that statement would open the table of tasks each time.
SELECT COALESCE(pg_catalog.array_agg(g.id ORDER BY g.at), '{}')
FROM pg_catalog.unnest($2) WITH ORDINALITY AS g (id, at)
WHERE NOT EXISTS (
    SELECT FROM agent_task_queue AS t
    WHERE t.id = g.id AND t.runtime_id = $1 AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
)
