-- Moves the ended tasks $1, which the caller has locked, to the runtimes $2. Their sessions are removed, because they exist only on the
-- old machine. Those whose end the server did not write get one, because the server deletes no runtime that has such a task.
UPDATE agent_task_queue AS t
SET
    runtime_id = m.runtime_id, session_id = NULL,
    completed_at = COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at)
FROM unnest($1, $2) AS m (id, runtime_id)
WHERE t.id = m.id
