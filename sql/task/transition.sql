SELECT t.* FROM agent_task_queue AS t WHERE t.id = $1
