-- Returns what a task takes from its autopilot run. An autopilot that is assigned to a squad is executed by the leader of the squad.
SELECT
    -- feature autopilot_squad
    s.leader_id, s.archived_at IS NOT NULL AS is_squad_archived, p.assignee_type,
    -- end autopilot_squad
    -- without autopilot_squad
    --| NULL::uuid AS leader_id, false AS is_squad_archived, 'agent'::text AS assignee_type,
    -- end autopilot_squad
    p.workspace_id, p.assignee_id, r.status, r.task_id,
    -- feature run_priority
    p.priority
    -- end run_priority
    -- without run_priority
    --| NULL::text AS priority
    -- end run_priority
FROM autopilot_run AS r
JOIN autopilot AS p ON p.id = r.autopilot_id
-- feature autopilot_squad
LEFT JOIN squad AS s ON s.id = p.assignee_id AND s.workspace_id = p.workspace_id AND p.assignee_type = 'squad'
-- end autopilot_squad
WHERE r.id = $1
