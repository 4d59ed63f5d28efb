-- As sql/tables/later/agent_task_queue.sql. The foreign key searches the index, row by row, when a runtime is deleted.
-- feature chat_runtime
ALTER TABLE chat_session ADD COLUMN runtime_id uuid REFERENCES agent_runtime (id) ON DELETE SET NULL;
-- end chat_runtime
