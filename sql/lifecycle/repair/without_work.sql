-- Returns agents whose status is working although they have no such task, because their tasks were deleted with the issue, or
-- by hand: at most $1, without those in $2, those that have been working longest first. The condition is that of the index of all
-- working agents; without this index the statement returns nothing.
SELECT a.id
FROM agent AS a
WHERE (SELECT to_regclass('multica_agent_working') IS NOT NULL)
  AND a.status = 'working'
  AND a.id <> ALL ($2)
  AND (
      SELECT true
      FROM agent_task_queue AS t
      WHERE t.agent_id = a.id
        AND t.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred', 'waiting_local_directory')
      ORDER BY t.dispatched_at
      LIMIT 1
  ) IS NULL
ORDER BY a.updated_at, a.id
LIMIT $1
