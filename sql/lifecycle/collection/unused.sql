-- Returns the runtimes in $1 that are still unused. This is checked again under the lock: agents and tasks that arrived before the
-- lock are visible now, and the lock prevents new ones.
SELECT r.id
FROM agent_runtime AS r
WHERE r.id = ANY ($1)
  AND NOT EXISTS (SELECT FROM agent AS a WHERE a.runtime_id = r.id)
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS t
      WHERE t.runtime_id = r.id AND t.status NOT IN ('completed', 'failed', 'cancelled')
  )
