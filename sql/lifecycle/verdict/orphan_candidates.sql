-- Returns the tasks in flight on these runtimes, without those that the daemon still runs.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.runtime_id = ANY ($1) AND t.status IN ('dispatched', 'running', 'waiting_local_directory') AND t.id <> ALL ($2)
