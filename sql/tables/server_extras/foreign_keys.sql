-- Runs and tasks point at each other; this is the half that has to wait until both tables are there.
ALTER TABLE autopilot_run
    ADD CONSTRAINT autopilot_run_task_id_fkey FOREIGN KEY (task_id) REFERENCES agent_task_queue (id) ON DELETE SET NULL;
