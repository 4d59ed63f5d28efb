-- Deletes the archived agents of the runtime $1, and with $2 its system agents too.
DELETE FROM agent AS a
WHERE a.runtime_id = $1
    -- feature system_agents
    AND (a.kind = 'user' OR $2)
    AND (a.archived_at IS NOT NULL OR a.kind = 'system')
    -- end system_agents
    -- without system_agents
    --| AND a.archived_at IS NOT NULL
    -- end system_agents
