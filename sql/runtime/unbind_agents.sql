-- Unbinds the agents that users have bound to the runtime $1, archived ones too. A system agent belongs to its runtime.
UPDATE agent AS a SET runtime_id = NULL, updated_at = $2
WHERE a.runtime_id = $1
    -- feature system_agents
    AND a.kind = 'user'
    -- end system_agents
RETURNING a.id
