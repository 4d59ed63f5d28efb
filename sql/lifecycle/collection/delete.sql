-- Deletes only runtimes to which no task refers any more, so that the cascade of the foreign key never deletes a task.
DELETE FROM agent_runtime AS r
WHERE r.id = ANY ($1) AND NOT EXISTS (SELECT FROM agent_task_queue AS t WHERE t.runtime_id = r.id)
RETURNING r.id AS runtime_id, r.workspace_id
