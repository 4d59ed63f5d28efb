SELECT
    p.workspace_id, p.assignee_id, r.status, r.task_id,
    -- feature run_priority
    p.priority
    -- end run_priority
    -- without run_priority
    --| NULL::text AS priority
    -- end run_priority
FROM autopilot_run AS r
JOIN autopilot AS p ON p.id = r.autopilot_id
WHERE r.id = $1
