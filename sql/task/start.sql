-- One row, and no wait after it. $3: the claim token in microseconds.
UPDATE agent_task_queue AS t
SET status = 'running', started_at = $2
WHERE t.id = $1
  AND t.status = 'dispatched'
  AND ($3 IS NULL OR (LEAST(GREATEST(extract(epoch FROM t.dispatched_at), -9000000000000::numeric), 9000000000000::numeric) * 1000000::numeric)::bigint = $3)
RETURNING t.*, true AS applied, NULL::uuid AS retry_task_id, false AS first_execution
