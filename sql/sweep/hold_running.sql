-- Locks those of the tasks $1 that are still running, without waiting, and returns them. A session that is just storing a sign of life
-- holds its task.
SELECT t.id FROM agent_task_queue AS t WHERE t.id = ANY ($1) AND t.status = 'running' FOR NO KEY UPDATE SKIP LOCKED
