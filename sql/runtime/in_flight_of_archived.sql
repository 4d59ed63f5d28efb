SELECT t.id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE a.runtime_id = $1 AND a.archived_at IS NOT NULL AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
