-- Without foreign keys, like multica_runtime_incarnation. A row is inserted by a claim and deleted by a sweep after the end of the
-- task; it is updated only if the task is redelivered.
CREATE TABLE multica_task_incarnation (
    task_id uuid PRIMARY KEY,
    incarnation uuid NOT NULL,
    claimed_at timestamptz NOT NULL
);

COMMENT ON TABLE multica_task_incarnation IS 'daemon process that has claimed each task in flight';
COMMENT ON COLUMN multica_task_incarnation.incarnation IS 'incarnation of the process, made at its start';
COMMENT ON COLUMN multica_task_incarnation.claimed_at IS
'dispatched_at of the claim; the row says nothing about a task that was dispatched again since';
