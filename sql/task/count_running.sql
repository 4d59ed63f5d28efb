SELECT count(*)
FROM agent_task_queue AS t
WHERE t.agent_id = $1
  AND t.status NOT IN ('completed', 'failed', 'cancelled', 'queued')
  AND t.status IN ('dispatched', 'running')
