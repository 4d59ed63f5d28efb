-- Tasks $1, locked by the caller, move to the runtimes $2. Their sessions are lost with the machine that they were on.
UPDATE agent_task_queue AS t
SET runtime_id = m.runtime_id, session_id = NULL
FROM unnest($1, $2) AS m (id, runtime_id)
WHERE t.id = m.id
