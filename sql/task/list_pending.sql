SELECT t.*
FROM agent_task_queue AS t
WHERE t.runtime_id = $1 AND t.status IN ('queued', 'dispatched')
ORDER BY t.created_at DESC, t.id DESC
