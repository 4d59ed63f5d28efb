-- Sets those of the tasks $1 dispatched that can still be claimed by one of the runtimes $3: queued ones, and those that were dispatched
-- more than $4 seconds ago and never started, if their lease is over. The conditions are checked again, because a statement of the
-- server can redeliver a task without a lock on its agent. $5: the seconds of the new lease, NULL for none.
UPDATE agent_task_queue AS t
SET
    -- feature lease
    prepare_lease_expires_at = $2 + make_interval(secs => $5),
    -- end lease
    status = 'dispatched', dispatched_at = $2
WHERE t.id = ANY ($1)
  AND t.runtime_id = ANY ($3)
  AND (
      t.status = 'queued'
      OR (
          t.status = 'dispatched'
          AND t.started_at IS NULL
          AND t.dispatched_at < $2 - make_interval(secs => $4)
          -- feature lease
          AND (t.prepare_lease_expires_at IS NULL OR t.prepare_lease_expires_at <= $2)
          -- end lease
      )
  )
RETURNING t.*
