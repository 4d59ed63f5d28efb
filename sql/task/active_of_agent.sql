SELECT t.id
FROM agent_task_queue AS t
WHERE t.agent_id = $1
  AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
