-- Moves tasks to the runtimes of their agents. Their sessions are removed, because they exist only on the old machine.
UPDATE agent_task_queue AS t SET runtime_id = a.runtime_id, session_id = NULL
FROM agent AS a
WHERE t.runtime_id = $1 AND a.id = t.agent_id AND a.runtime_id <> $1
