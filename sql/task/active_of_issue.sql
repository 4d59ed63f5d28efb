-- Returns the active tasks of an issue. $2: only those of this agent. $3: only those of these agents.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.issue_id = $1
  AND ($2 IS NULL OR t.agent_id = $2)
  AND ($3 IS NULL OR t.agent_id = ANY ($3))
  AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
