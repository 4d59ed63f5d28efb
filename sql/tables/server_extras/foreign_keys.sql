-- Autopilot runs and tasks refer to each other. This foreign key must be added after both tables exist.
ALTER TABLE autopilot_run
    ADD CONSTRAINT autopilot_run_task_id_fkey FOREIGN KEY (task_id) REFERENCES agent_task_queue (id) ON DELETE SET NULL;
