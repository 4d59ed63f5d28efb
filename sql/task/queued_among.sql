SELECT t.id FROM agent_task_queue AS t WHERE t.id = ANY ($1) AND t.status = 'queued'
