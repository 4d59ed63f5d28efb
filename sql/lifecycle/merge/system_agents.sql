-- Returns the system agents of the runtimes $1 and $2 that cannot keep their key when those of the runtimes $1 move to the runtimes
-- $2, because another agent of the same workspace, owner and key is there or moves there, each with the agent that keeps the key. An
-- archived agent keeps it only if all of them are archived, and then an agent that is there already. An archived agent does not give
-- its work away.
SELECT s.id, s.kept, s.is_archived
FROM (
    SELECT
        a.id,
        a.archived_at IS NOT NULL AS is_archived,
        first_value(a.id) OVER (
            PARTITION BY
                -- feature system_agents
                a.system_key,
                -- end system_agents
                COALESCE(m.new_id, a.runtime_id), a.workspace_id, a.owner_id
            ORDER BY a.archived_at IS NOT NULL, m.new_id IS NOT NULL, a.created_at, a.id
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
