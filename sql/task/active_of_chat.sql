-- Returns the active turns of a chat session. $2: only those of these agents.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.chat_session_id = $1
  AND ($2 IS NULL OR t.agent_id = ANY ($2))
  AND t.completed_at IS NULL
  AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
