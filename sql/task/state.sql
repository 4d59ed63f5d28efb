SELECT t.status, t.dispatched_at
FROM agent_task_queue AS t
WHERE t.id = $1
