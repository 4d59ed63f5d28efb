-- Returns the tasks in flight on the runtime, or of an agent that is bound to it.
SELECT t.id FROM agent_task_queue AS t
WHERE t.runtime_id = $1 AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
UNION
SELECT t.id FROM agent_task_queue AS t JOIN agent AS a ON a.id = t.agent_id
WHERE a.runtime_id = $1 AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
