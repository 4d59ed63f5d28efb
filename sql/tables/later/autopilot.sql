-- As sql/tables/later/agent_task_queue.sql.
-- feature pause
ALTER TABLE autopilot ADD COLUMN pause_reason text;
-- end pause
