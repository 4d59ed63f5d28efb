-- Without foreign keys, like multica_runtime_incarnation. A sweep deletes the rows of tasks that have ended. The fillfactor leaves
-- room for the updates, which change no indexed column.
CREATE TABLE multica_task_progress (
    task_id uuid PRIMARY KEY,
    signed_at timestamptz,
    progress jsonb,
    recorded_at timestamptz
) WITH (fillfactor = 70);

COMMENT ON TABLE multica_task_progress IS 'last progress of each task, as its last event contains it';
COMMENT ON COLUMN multica_task_progress.signed_at IS
'time of the last sign of life of the task itself, where agent_task_queue has no last_heartbeat_at';
COMMENT ON COLUMN multica_task_progress.recorded_at IS 'time of the last task:progress event';
