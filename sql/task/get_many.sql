SELECT t.* FROM agent_task_queue AS t WHERE t.id = ANY ($1) ORDER BY t.created_at DESC, t.id DESC
