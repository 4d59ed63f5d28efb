-- Locks and returns the records of tasks that have ended or do not exist: at most $1, without those in $2. An ended task is never in
-- flight again. Rows that other sessions hold are left for the next sweep. There are about as many records as tasks in flight, and
-- each task is looked up by its id, so the cost does not grow with the history.
SELECT i.task_id
FROM multica_task_incarnation AS i
WHERE i.task_id <> ALL ($2)
  AND (
      SELECT t.status IN ('completed', 'failed', 'cancelled')
      FROM agent_task_queue AS t
      WHERE t.id = i.task_id
  ) IS NOT FALSE
ORDER BY i.task_id
LIMIT $1
FOR UPDATE OF i SKIP LOCKED
