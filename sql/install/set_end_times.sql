UPDATE agent_task_queue SET completed_at = coalesce(started_at, dispatched_at, created_at)
WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at IS NULL
