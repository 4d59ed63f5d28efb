-- A task has completed_at if it has ended, and only then. If the task has ended, its autopilot run has ended too.
SELECT id, status FROM agent_task_queue WHERE (status IN ('completed', 'failed', 'cancelled')) <> (completed_at IS NOT NULL)
UNION ALL
SELECT r.id, r.status
FROM autopilot_run AS r
JOIN agent_task_queue AS t ON t.id = r.task_id
WHERE t.status IN ('completed', 'failed', 'cancelled') AND r.status NOT IN ('completed', 'failed');
