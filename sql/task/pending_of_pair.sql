SELECT t.id
FROM agent_task_queue AS t
WHERE t.issue_id = $1 AND t.agent_id = $2 AND t.status IN ('queued', 'dispatched')
