-- What the server's migration 055_task_lease_and_retry adds. These are the only columns that install ever adds to an adopted table.
ALTER TABLE agent_task_queue
    ADD COLUMN attempt integer NOT NULL DEFAULT 1,
    ADD COLUMN max_attempts integer NOT NULL DEFAULT 2,
    ADD COLUMN parent_task_id uuid REFERENCES agent_task_queue (id) ON DELETE SET NULL,
    ADD COLUMN failure_reason text;

-- feature task_beat
ALTER TABLE agent_task_queue ADD COLUMN last_heartbeat_at timestamptz;
-- end task_beat
