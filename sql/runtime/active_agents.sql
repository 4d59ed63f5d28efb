-- The agents that a user has bound to the runtime $1 and not archived.
SELECT a.id
FROM agent AS a
WHERE a.runtime_id = $1
  AND a.archived_at IS NULL
  -- feature system_agents
  AND a.kind = 'user'
  -- end system_agents
