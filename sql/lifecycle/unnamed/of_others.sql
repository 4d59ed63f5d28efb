-- Locks and returns the rows about tasks that a daemon does not have any more on this runtime and from this claim: at most $1,
-- without those in $2. Rows that other sessions hold are left for the next sweep. The table has few rows, and each task is looked up
-- by its id.
SELECT u.task_id
FROM multica_task_unnamed AS u
WHERE u.task_id <> ALL ($2)
  AND (
      SELECT true
      FROM agent_task_queue AS t
      WHERE t.id = u.task_id
        AND t.runtime_id = u.runtime_id
        AND t.status IN ('running', 'waiting_local_directory')
        AND t.dispatched_at IS NOT DISTINCT FROM u.claimed_at
  ) IS NULL
ORDER BY u.task_id
LIMIT $1
FOR UPDATE OF u SKIP LOCKED
