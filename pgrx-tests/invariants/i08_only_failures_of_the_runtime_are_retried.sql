-- A task has no retry if it belongs to an autopilot run, completed, was cancelled, or failed by an agent error.
SELECT p.id, p.status, p.failure_reason
FROM agent_task_queue AS p
JOIN agent_task_queue AS c ON c.parent_task_id = p.id
WHERE p.status <> 'failed' OR p.autopilot_run_id IS NOT NULL
   OR p.failure_reason NOT IN ('runtime_offline', 'runtime_recovery', 'timeout');
