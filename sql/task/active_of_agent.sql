-- Active tasks of an agent. The second condition says it once more, for the index of what is active.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.agent_id = $1
  AND t.status IN ('queued', 'dispatched', 'running')
  AND t.status NOT IN ('completed', 'failed', 'cancelled')
