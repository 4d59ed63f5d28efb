-- Returns the system agents of the runtimes $1 that cannot move to the runtimes $2, because another agent of the same workspace,
-- owner and key is there, or moves there first, each with that agent.
SELECT s.id, s.kept
FROM (
    SELECT
        a.id,
        first_value(a.id) OVER (
            PARTITION BY
                -- feature system_agents
                a.system_key,
                -- end system_agents
                COALESCE(m.new_id, a.runtime_id), a.workspace_id, a.owner_id
            ORDER BY m.new_id IS NOT NULL, a.created_at, a.id
        ) AS kept
    FROM agent AS a
    LEFT JOIN unnest($1, $2) AS m (old_id, new_id) ON m.old_id = a.runtime_id
    WHERE a.runtime_id = ANY ($1 || $2)
        AND a.owner_id IS NOT NULL
        -- feature system_agents
        AND a.system_key IS NOT NULL
        -- end system_agents
        -- without system_agents
        --| AND false
        -- end system_agents
) AS s
WHERE s.id <> s.kept
