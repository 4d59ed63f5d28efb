-- Returns the chat sessions and tasks that are deleted with the archived agents of the runtime $1, and with $2 those that are deleted
-- with its system agents too. The tasks on the runtime itself are left out, because the caller locks all of them. They are searched
-- agent by agent, whatever number of agents the planner expects.
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
SELECT
    ARRAY(
        SELECT o.id
        FROM leaving AS a
        CROSS JOIN LATERAL (SELECT c.id FROM chat_session AS c WHERE c.agent_id = a.id OFFSET 0) AS o
    ) AS chat_sessions,
    ARRAY(
        SELECT o.id
        FROM leaving AS a
        CROSS JOIN LATERAL (
            SELECT t.id FROM agent_task_queue AS t WHERE t.agent_id = a.id AND t.runtime_id IS DISTINCT FROM $1 OFFSET 0
        ) AS o
    ) AS tasks
