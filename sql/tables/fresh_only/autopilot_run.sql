ALTER TABLE autopilot_run ALTER COLUMN status SET DEFAULT 'running';
