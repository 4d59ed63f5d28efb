-- What is in flight on these runtimes and not among what the daemon says it runs.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.runtime_id = ANY ($1) AND t.status IN ('dispatched', 'running') AND t.id <> ALL ($2)
