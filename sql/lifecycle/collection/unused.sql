-- Checked again under the lock, which keeps new agents and tasks away: what arrived before the lock is seen now.
SELECT r.id
FROM agent_runtime AS r
WHERE r.id = ANY ($1)
  AND NOT EXISTS (SELECT FROM agent AS a WHERE a.runtime_id = r.id)
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS t
      WHERE t.runtime_id = r.id AND t.status NOT IN ('completed', 'failed', 'cancelled')
  )
