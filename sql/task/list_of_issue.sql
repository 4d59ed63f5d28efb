SELECT t.* FROM agent_task_queue AS t WHERE t.issue_id = $1 ORDER BY t.created_at DESC, t.id DESC LIMIT $2
