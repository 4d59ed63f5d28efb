-- A task has no retry if it belongs to an autopilot run, completed, was cancelled, or failed for a reason that is not retried.
SELECT p.id, p.status, p.failure_reason
FROM agent_task_queue AS p
JOIN agent_task_queue AS c ON c.parent_task_id = p.id
WHERE p.status <> 'failed' OR p.autopilot_run_id IS NOT NULL
   OR p.failure_reason NOT IN (SELECT y.reason FROM multica_retry_policy_in_force() AS y WHERE y.is_retried);
