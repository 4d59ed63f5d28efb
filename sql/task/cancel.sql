UPDATE agent_task_queue AS t
SET status = 'cancelled', completed_at = $2
WHERE t.id = ANY ($1) AND t.status IN ('queued', 'dispatched', 'running')
RETURNING t.id
