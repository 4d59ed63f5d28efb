-- Returns the open tasks of the agents that are bound to the runtime $1, on whatever runtime.
SELECT t.id
FROM agent AS a
JOIN agent_task_queue AS t ON t.agent_id = a.id
WHERE a.runtime_id = $1 AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
