-- Returns the tasks in flight on the runtime $1 whose agents are bound to another runtime.
SELECT t.id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE t.runtime_id = $1 AND a.runtime_id <> $1 AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
