-- Locks and returns the records of tasks that have ended or do not exist: at most $1, without those in $2. An ended task is never in
-- flight again. Rows that other sessions hold are left for the next sweep. There are about as many records as tasks in flight and
-- waiting retries, and each task is looked up by its id, so the cost does not grow with the history. Two kinds of records are kept:
-- that of a failed task until its retry is claimed or has ended, because its process may take the retry over, and that of a retry
-- that was taken over for a day after its end, because its process may repeat the call that ended it.
SELECT i.task_id
FROM multica_task_incarnation AS i
WHERE i.task_id <> ALL ($2)
  AND (
      SELECT
          t.status IN ('completed', 'failed', 'cancelled')
          AND (t.status <> 'failed' OR NOT EXISTS (
              SELECT FROM agent_task_queue AS r WHERE r.parent_task_id = t.id AND r.status IN ('queued', 'deferred')
          ))
          AND (i.resumed_task_id IS NULL OR COALESCE(t.completed_at < clock_timestamp() - interval '1 day', true))
      FROM agent_task_queue AS t
      WHERE t.id = i.task_id
  ) IS NOT FALSE
ORDER BY i.task_id
LIMIT $1
FOR UPDATE OF i SKIP LOCKED
