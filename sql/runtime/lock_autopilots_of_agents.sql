-- Returns the active autopilots of the user's agents on the runtime $1, and of the squads that these agents lead. Locks each that no
-- other session holds.
WITH bound AS MATERIALIZED (
    SELECT a.id, a.workspace_id
    FROM agent AS a
    WHERE a.runtime_id = $1
        -- feature system_agents
        AND a.kind = 'user'
        -- end system_agents
),
wanted AS MATERIALIZED (
    SELECT p.id
    FROM bound AS b
    JOIN autopilot AS p ON p.assignee_type = 'agent' AND p.assignee_id = b.id
    WHERE p.status = 'active'
    -- feature squad
    UNION
    SELECT p.id
    FROM bound AS b
    JOIN squad AS s ON s.workspace_id = b.workspace_id AND s.leader_id = b.id
    JOIN autopilot AS p ON p.assignee_type = 'squad' AND p.assignee_id = s.id
    WHERE p.status = 'active'
    -- end squad
),
locked AS MATERIALIZED (
    SELECT id FROM autopilot WHERE id = ANY (ARRAY(SELECT w.id FROM wanted AS w)) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT w.id, EXISTS (SELECT FROM locked AS l WHERE l.id = w.id) AS is_locked FROM wanted AS w
