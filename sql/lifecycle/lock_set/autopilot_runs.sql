SELECT r.id FROM autopilot_run AS r WHERE r.id = ANY ($1) ORDER BY r.id FOR NO KEY UPDATE
