-- Deletes the memberships of the agents that the server made for the runtime $1. They refer to the agents without a foreign key.
DELETE FROM squad_member AS m
USING agent AS a
WHERE a.runtime_id = $1
    -- feature system_agents
    AND a.kind = 'system'
    -- end system_agents
    -- without system_agents
    --| AND false
    -- end system_agents
    AND m.member_type = 'agent' AND m.member_id = a.id
