-- The old ids are used in two conditions, so that no other row is read, because row-level security may hide such a row. A runtime
-- has at most one system agent of an owner and key.
UPDATE agent AS a SET runtime_id = m.new_id
FROM unnest($1, $2) AS m (old_id, new_id)
WHERE a.runtime_id = m.old_id AND a.runtime_id = ANY ($1)
    -- feature system_agents
    AND NOT EXISTS (
        SELECT FROM agent AS o
        WHERE o.runtime_id = m.new_id
            AND o.workspace_id = a.workspace_id AND o.owner_id = a.owner_id AND o.system_key = a.system_key
    )
    -- end system_agents
