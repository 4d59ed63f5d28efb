UPDATE issue AS i
SET first_executed_at = $2
WHERE i.id = (SELECT t.issue_id FROM agent_task_queue AS t WHERE t.id = $1) AND i.first_executed_at IS NULL
