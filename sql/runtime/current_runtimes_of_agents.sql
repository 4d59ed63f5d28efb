-- Returns the runtimes of agents that have tasks on the runtime $1 but are bound to another runtime.
SELECT DISTINCT a.runtime_id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE t.runtime_id = $1 AND a.runtime_id <> $1
