-- FOR NO KEY UPDATE, because the server inserts a retry, whose foreign key locks the key of the failed task, while it holds the
-- pending slot for which this session may wait.
SELECT t.id FROM agent_task_queue AS t WHERE t.id = ANY ($1) ORDER BY t.id FOR NO KEY UPDATE
