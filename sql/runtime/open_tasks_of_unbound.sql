-- Returns the open tasks on the runtime $1 whose agents have no runtime. They cannot go on without it.
SELECT t.id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE t.runtime_id = $1
    AND a.runtime_id IS NULL
    AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
