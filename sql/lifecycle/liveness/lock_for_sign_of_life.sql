-- As lock_for_status.sql, for the sign of life that a claim is. A runtime that is marked as unable to run any task stays as it is.
SELECT r.id, r.status
FROM agent_runtime AS r
WHERE r.id = ANY ($1)
  AND (r.metadata -> 'offline_reason'::text ->> 'code'::text = 'not_executable') IS NOT TRUE
ORDER BY r.id
FOR NO KEY UPDATE
