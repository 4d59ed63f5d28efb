SELECT t.id FROM agent_task_queue AS t WHERE t.id = ANY ($1) ORDER BY t.id FOR UPDATE
