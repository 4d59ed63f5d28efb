UPDATE agent_task_queue AS t
SET status = 'dispatched', dispatched_at = $2
WHERE t.id = ANY ($1)
  AND t.runtime_id = $3
  AND (t.status = 'queued' OR (t.status = 'dispatched' AND t.started_at IS NULL))
RETURNING t.id
