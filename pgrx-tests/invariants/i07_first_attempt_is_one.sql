-- A task without a parent, including a rerun, has attempt 1.
SELECT id, attempt, parent_task_id FROM agent_task_queue WHERE (attempt = 1) <> (parent_task_id IS NULL);
