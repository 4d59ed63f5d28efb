-- Deletes the agents that the server made for the runtime $1. Membership in squads has no foreign key.
WITH deleted AS MATERIALIZED (
    DELETE FROM agent AS a
    WHERE a.runtime_id = $1
        -- feature system_agents
        AND a.kind = 'system'
        -- end system_agents
        -- without system_agents
        --| AND false
        -- end system_agents
    RETURNING a.id
)
-- feature squad
, member AS MATERIALIZED (
    DELETE FROM squad_member AS m
    USING deleted AS d
    WHERE m.member_type = 'agent' AND m.member_id = d.id
)
-- end squad
SELECT d.id FROM deleted AS d
