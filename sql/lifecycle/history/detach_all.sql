-- Moves the tasks of the runtime $1 whose agents have no runtime to the runtime $2, or detaches them where $2 is NULL. A session stays
-- on its machine, so no other runtime may resume it. A task that has no runtime must have an end, and the server did not always write it.
UPDATE agent_task_queue AS t
SET
    runtime_id = $2,
    session_id = CASE WHEN $2 IS NULL THEN t.session_id END,
    completed_at = COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at)
FROM agent AS a
WHERE t.runtime_id = $1 AND a.id = t.agent_id AND a.runtime_id IS NULL
