-- Locks and returns those of the tasks $1 that are failed. Rows that other sessions hold are left for the next sweep.
SELECT t.id FROM agent_task_queue AS t WHERE t.id = ANY ($1) AND t.status = 'failed' FOR NO KEY UPDATE SKIP LOCKED
