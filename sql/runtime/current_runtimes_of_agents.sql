-- The runtimes of agents that left tasks on this one.
SELECT DISTINCT a.runtime_id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE t.runtime_id = $1 AND a.runtime_id <> $1
