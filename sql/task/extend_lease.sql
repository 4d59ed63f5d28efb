-- $3: the time at which the caller's claim dispatched the task, NULL for any claim. $4: seconds of the lease, 0 for none.
-- feature lease
UPDATE agent_task_queue AS t
SET prepare_lease_expires_at = CASE WHEN $4 > 0::double precision THEN $2 + make_interval(secs => $4) END
WHERE t.id = $1
  AND t.status IN ('dispatched', 'waiting_local_directory')
  AND t.started_at IS NULL
  AND ($3 IS NULL OR t.dispatched_at = $3)
RETURNING t.*
-- end lease
-- without lease
--| SELECT WHERE false
-- end lease
