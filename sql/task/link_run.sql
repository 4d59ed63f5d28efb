UPDATE autopilot_run AS r
SET
    -- feature autopilot_squad
    squad_id = COALESCE($3, r.squad_id),
    -- end autopilot_squad
    task_id = $2, status = 'running'
WHERE r.id = $1
