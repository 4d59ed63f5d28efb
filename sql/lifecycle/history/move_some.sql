-- Moves the tasks $1, which the caller has locked, to the runtimes $2. Their sessions are removed, because they exist only on the
-- old machine.
UPDATE agent_task_queue AS t
SET runtime_id = m.runtime_id, session_id = NULL
FROM unnest($1, $2) AS m (id, runtime_id)
WHERE t.id = m.id
