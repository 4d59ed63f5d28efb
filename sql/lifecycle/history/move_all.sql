-- History moves to the runtimes of its agents. Its sessions are lost with the machine that they were on.
UPDATE agent_task_queue AS t SET runtime_id = a.runtime_id, session_id = NULL
FROM agent AS a
WHERE t.runtime_id = $1 AND a.id = t.agent_id AND a.runtime_id <> $1
