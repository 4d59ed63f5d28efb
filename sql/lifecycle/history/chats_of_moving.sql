-- Returns the chats whose tasks move away from the runtimes $1, to the runtimes of their agents.
SELECT DISTINCT t.chat_session_id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE t.runtime_id = ANY ($1) AND a.runtime_id <> ALL ($1) AND t.chat_session_id IS NOT NULL
