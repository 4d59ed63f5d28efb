-- Returns what a task takes from its issue. An issue that is assigned to a squad is worked on by the leader of the squad.
SELECT
    -- feature squad
    s.leader_id, s.archived_at IS NOT NULL AS is_squad_archived,
    -- end squad
    -- without squad
    --| NULL::uuid AS leader_id, false AS is_squad_archived,
    -- end squad
    i.workspace_id, i.assignee_id, i.assignee_type, i.priority
FROM issue AS i
-- feature squad
LEFT JOIN squad AS s ON s.id = i.assignee_id AND s.workspace_id = i.workspace_id AND i.assignee_type = 'squad'
-- end squad
WHERE i.id = $1
