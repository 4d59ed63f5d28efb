-- Returns the chat sessions and tasks that are deleted with the archived agents of the runtime $1. The tasks on the runtime itself are
-- left out, because the caller locks all of them. They are searched agent by agent, whatever number of agents the planner expects.
SELECT
    ARRAY(
        SELECT o.id
        FROM agent AS a
        CROSS JOIN LATERAL (SELECT c.id FROM chat_session AS c WHERE c.agent_id = a.id OFFSET 0) AS o
        WHERE a.runtime_id = $1 AND a.archived_at IS NOT NULL
    ) AS chat_sessions,
    ARRAY(
        SELECT o.id
        FROM agent AS a
        CROSS JOIN LATERAL (
            SELECT t.id FROM agent_task_queue AS t WHERE t.agent_id = a.id AND t.runtime_id IS DISTINCT FROM $1 OFFSET 0
        ) AS o
        WHERE a.runtime_id = $1 AND a.archived_at IS NOT NULL
    ) AS tasks
