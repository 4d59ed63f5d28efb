-- Deletes the agents that the server made for the runtime $1.
DELETE FROM agent AS a
WHERE a.runtime_id = $1
    -- feature system_agents
    AND a.kind = 'system'
    -- end system_agents
    -- without system_agents
    --| AND false
    -- end system_agents
