SELECT t.status FROM agent_task_queue AS t WHERE t.id = $1 AND t.issue_id = $2
