-- Returns the system agents of the runtimes $1, and the chat sessions and tasks of those that are bound to the runtimes $2: a merge
-- may give them to another system agent, and a deletion deletes them. The tasks on the runtimes $2 are left out, because the caller
-- locks all of them. A task that is given while it is pending takes the pending slot of its issue and the other agent, so the issues
-- of such tasks are returned too, and the pending tasks that the other agents have of these issues.
WITH system_agent AS MATERIALIZED (
    SELECT a.id, (a.runtime_id = ANY ($2)) AS is_leaving
    FROM agent AS a
    WHERE a.runtime_id = ANY ($1)
        -- feature system_agents
        AND a.kind = 'system'
        -- end system_agents
        -- without system_agents
        --| AND false
        -- end system_agents
),
pending AS MATERIALIZED (
    SELECT o.id, o.issue_id, s.is_leaving
    FROM system_agent AS s
    CROSS JOIN LATERAL (
        SELECT t.id, t.issue_id
        FROM agent_task_queue AS t
        WHERE t.agent_id = s.id
            AND t.issue_id IS NOT NULL
            AND (
                t.status IN ('queued', 'dispatched')
                -- feature slot_of_media
                OR (t.status = 'deferred' AND t.context ->> 'channel_issue_media_pending'::text = 'true')
                -- end slot_of_media
            )
        OFFSET 0
    ) AS o
),
given AS MATERIALIZED (
    SELECT DISTINCT p.issue_id FROM pending AS p WHERE p.is_leaving
)
SELECT
    ARRAY(SELECT s.id FROM system_agent AS s) AS agents,
    ARRAY(SELECT g.issue_id FROM given AS g) AS issues,
    ARRAY(
        SELECT c.id
        FROM system_agent AS s
        JOIN chat_session AS c ON c.agent_id = s.id
        WHERE s.is_leaving
    ) AS chat_sessions,
    ARRAY(
        SELECT o.id
        FROM system_agent AS s
        CROSS JOIN LATERAL (
            SELECT t.id FROM agent_task_queue AS t WHERE t.agent_id = s.id AND (t.runtime_id <> ALL ($2)) IS NOT FALSE OFFSET 0
        ) AS o
        WHERE s.is_leaving
        UNION ALL
        SELECT p.id FROM pending AS p WHERE NOT p.is_leaving AND p.issue_id IN (SELECT g.issue_id FROM given AS g)
    ) AS tasks
