-- Returns the system agents of the runtimes $1, and the chat sessions and tasks of those that are bound to the runtimes $2: a merge
-- may give them to another system agent, and a deletion deletes them. The tasks on the runtimes $2 are left out, because the caller
-- locks all of them.
WITH system_agent AS MATERIALIZED (
    SELECT a.id, a.runtime_id
    FROM agent AS a
    WHERE a.runtime_id = ANY ($1)
        -- feature system_agents
        AND a.kind = 'system'
        -- end system_agents
        -- without system_agents
        --| AND false
        -- end system_agents
)
SELECT
    ARRAY(SELECT s.id FROM system_agent AS s) AS agents,
    ARRAY(
        SELECT c.id
        FROM system_agent AS s
        JOIN chat_session AS c ON c.agent_id = s.id
        WHERE s.runtime_id = ANY ($2)
    ) AS chat_sessions,
    ARRAY(
        SELECT o.id
        FROM system_agent AS s
        CROSS JOIN LATERAL (
            SELECT t.id FROM agent_task_queue AS t WHERE t.agent_id = s.id AND (t.runtime_id <> ALL ($2)) IS NOT FALSE OFFSET 0
        ) AS o
        WHERE s.runtime_id = ANY ($2)
    ) AS tasks
