UPDATE autopilot_run AS r SET task_id = $2, status = 'running' WHERE r.id = $1
