-- Writes one row, and the call waits for nothing after it. $3: the time at which the caller's claim dispatched the task, NULL for
-- any claim.
UPDATE agent_task_queue AS t
SET status = 'running', started_at = $2
WHERE t.id = $1
  AND t.status = 'dispatched'
  AND ($3 IS NULL OR t.dispatched_at = $3)
RETURNING t.*, true AS applied, NULL::uuid AS retry_task_id, false AS first_execution
