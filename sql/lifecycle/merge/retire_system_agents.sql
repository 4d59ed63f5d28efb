-- Archives the system agents $1 and removes their keys, so that they can be bound to a runtime that has such an agent. They are not
-- deleted, because other tables refer to them: comments, squads, issues.
UPDATE agent AS a
SET
    -- feature system_agents
    system_key = NULL,
    -- end system_agents
    archived_at = COALESCE(a.archived_at, $2), updated_at = $2
WHERE a.id = ANY ($1)
