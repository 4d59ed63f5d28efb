-- What has no parent, a manual rerun included, begins a chain of its own.
SELECT id, attempt, parent_task_id FROM agent_task_queue WHERE (attempt = 1) <> (parent_task_id IS NULL);
