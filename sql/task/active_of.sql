-- Active tasks of an issue, an agent, or both.
SELECT t.id
FROM agent_task_queue AS t
WHERE ($1 IS NULL OR t.issue_id = $1)
  AND ($2 IS NULL OR t.agent_id = $2)
  AND t.status IN ('queued', 'dispatched', 'running')
  AND t.status NOT IN ('completed', 'failed', 'cancelled')
