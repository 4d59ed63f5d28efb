-- Without foreign keys, like multica_runtime_incarnation. A row is inserted by a claim and deleted by a sweep after the end of the
-- task; it is updated only if the task is claimed again.
CREATE TABLE multica_task_incarnation (
    task_id uuid PRIMARY KEY,
    incarnation uuid,
    claimed_at timestamptz NOT NULL,
    resumed_task_id uuid
);

COMMENT ON TABLE multica_task_incarnation IS 'daemon process that has claimed each task in flight';
COMMENT ON COLUMN multica_task_incarnation.incarnation IS
'incarnation of the process, made at its start; NULL if the process has none';
COMMENT ON COLUMN multica_task_incarnation.claimed_at IS
'dispatched_at of the claim; the row says nothing about a task that was dispatched again since';
COMMENT ON COLUMN multica_task_incarnation.resumed_task_id IS
'failed task whose run goes on as this task; NULL if the task was claimed in the usual way';
