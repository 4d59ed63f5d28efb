-- Returns the active autopilots of the user's agents on the runtime $1, and of the squads that these agents lead. Locks each that no
-- other session holds. Autopilots are searched agent by agent, whatever number of agents the planner expects.
WITH bound AS MATERIALIZED (
    SELECT a.id, a.workspace_id
    FROM agent AS a
    WHERE a.runtime_id = $1
        -- feature system_agents
        AND a.kind = 'user'
        -- end system_agents
),
wanted AS MATERIALIZED (
    SELECT o.id
    FROM bound AS b
    CROSS JOIN LATERAL (
        SELECT p.id FROM autopilot AS p
        WHERE p.assignee_type = 'agent' AND p.assignee_id = b.id AND p.status = 'active'
        OFFSET 0
    ) AS o
    -- feature squad
    UNION
    SELECT o.id
    FROM bound AS b
    JOIN squad AS s ON s.workspace_id = b.workspace_id AND s.leader_id = b.id
    CROSS JOIN LATERAL (
        SELECT p.id FROM autopilot AS p
        WHERE p.assignee_type = 'squad' AND p.assignee_id = s.id AND p.status = 'active'
        OFFSET 0
    ) AS o
    -- end squad
),
locked AS MATERIALIZED (
    SELECT id FROM autopilot WHERE id = ANY (ARRAY(SELECT w.id FROM wanted AS w)) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT w.id, EXISTS (SELECT FROM locked AS l WHERE l.id = w.id) AS is_locked FROM wanted AS w
