-- As orphan_candidates.sql, without the tasks that the process with the incarnation $3 has claimed itself. The record of a claim does
-- not count if the task was dispatched again since, by a process that passes no incarnation.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.runtime_id = ANY ($1)
  AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
  AND t.id <> ALL ($2)
  AND (
      SELECT i.incarnation = $3 AND i.claimed_at = t.dispatched_at
      FROM multica_task_incarnation AS i
      WHERE i.task_id = t.id
  ) IS NOT TRUE
