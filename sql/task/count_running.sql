-- The first condition is implied by the second one. It is that of the index.
SELECT count(*)
FROM agent_task_queue AS t
WHERE t.agent_id = $1
  AND t.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
  AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
