UPDATE agent_task_queue AS t SET runtime_id = a.runtime_id
FROM agent AS a
WHERE t.runtime_id = $1 AND a.id = t.agent_id AND a.runtime_id <> $1
