-- As sql/tables/later/agent_task_queue.sql.
-- feature custom_name
ALTER TABLE agent_runtime ADD COLUMN custom_name text;
-- end custom_name
