-- Returns the tasks that no daemon has yet of the archived agents of the runtime $1, and with $2 those of its system agents too. They
-- are searched agent by agent, whatever number of agents the planner expects.
WITH leaving AS MATERIALIZED (
    SELECT a.id
    FROM agent AS a
    WHERE a.runtime_id = $1
        -- feature system_agents
        AND (a.kind = 'user' OR $2)
        AND (a.archived_at IS NOT NULL OR a.kind = 'system')
        -- end system_agents
        -- without system_agents
        --| AND a.archived_at IS NOT NULL
        -- end system_agents
)
SELECT o.id
FROM leaving AS a
CROSS JOIN LATERAL (
    SELECT t.id FROM agent_task_queue AS t WHERE t.agent_id = a.id AND t.status IN ('queued', 'deferred') OFFSET 0
) AS o
