-- Returns the tasks that cannot go on without the runtime $1: those of the agents that are bound to it, on whatever runtime, and
-- those on it whose agent has no runtime.
SELECT t.id
FROM agent AS a
JOIN agent_task_queue AS t ON t.agent_id = a.id
WHERE a.runtime_id = $1 AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
UNION
SELECT t.id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE t.runtime_id = $1
    AND a.runtime_id IS NULL
    AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
