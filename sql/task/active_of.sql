-- Active tasks of an issue, an agent, or both. $3: only of these agents.
SELECT t.id
FROM agent_task_queue AS t
WHERE ($1 IS NULL OR t.issue_id = $1)
  AND ($2 IS NULL OR t.agent_id = $2)
  AND ($3 IS NULL OR t.agent_id = ANY ($3))
  AND t.status IN ('queued', 'dispatched', 'running')
  AND t.status NOT IN ('completed', 'failed', 'cancelled')
