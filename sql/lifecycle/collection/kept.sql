-- Returns the runtimes in $1 that still exist after the delete although no task refers to them, because a trigger keeps them.
SELECT r.id
FROM agent_runtime AS r
WHERE r.id = ANY ($1) AND NOT EXISTS (SELECT FROM agent_task_queue AS t WHERE t.runtime_id = r.id)
