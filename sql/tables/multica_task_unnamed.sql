-- Without foreign keys, like multica_runtime_incarnation. A row is inserted by the first heartbeat that does not name the task,
-- updated by the next ones, and deleted by the first one that names it again. Usually the table is empty. The fillfactor leaves room
-- for the updates, which change no indexed column.
CREATE TABLE multica_task_unnamed (
    task_id uuid PRIMARY KEY,
    runtime_id uuid NOT NULL,
    claimed_at timestamptz,
    missed_at timestamptz NOT NULL,
    confirmed_at timestamptz
) WITH (fillfactor = 70);

CREATE INDEX multica_task_unnamed_runtime ON multica_task_unnamed (runtime_id);

COMMENT ON TABLE multica_task_unnamed IS 'tasks that their daemon has but did not name in its last heartbeat with a list';
COMMENT ON COLUMN multica_task_unnamed.claimed_at IS
'dispatched_at of the claim; the row says nothing about a task that was dispatched again since';
COMMENT ON COLUMN multica_task_unnamed.missed_at IS 'time of the first of these heartbeats in a row';
COMMENT ON COLUMN multica_task_unnamed.confirmed_at IS 'time of the last one; NULL after only one';
