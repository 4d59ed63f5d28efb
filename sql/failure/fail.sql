UPDATE agent_task_queue AS t
SET status = 'failed', completed_at = $2, error = $3, failure_reason = $4
WHERE t.id = ANY ($1) AND t.status IN ('dispatched', 'running')
RETURNING t.id
