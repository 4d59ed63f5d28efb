-- Of runtimes that were to be deleted and still exist, those without a task: a trigger keeps them.
SELECT r.id
FROM agent_runtime AS r
WHERE r.id = ANY ($1) AND NOT EXISTS (SELECT FROM agent_task_queue AS t WHERE t.runtime_id = r.id)
