-- Locks and returns the rows of tasks that have ended or do not exist: at most $1, without those in $2. An ended task is never in
-- flight again. Rows that other sessions hold are left for the next sweep. There are at most as many rows as tasks that have reported
-- something and are not ended for long, and each task is looked up by its id, so the cost does not grow with the history.
SELECT p.task_id
FROM multica_task_progress AS p
WHERE p.task_id <> ALL ($2)
  AND (
      SELECT t.status IN ('completed', 'failed', 'cancelled')
      FROM agent_task_queue AS t
      WHERE t.id = p.task_id
  ) IS NOT FALSE
ORDER BY p.task_id
LIMIT $1
FOR UPDATE OF p SKIP LOCKED
