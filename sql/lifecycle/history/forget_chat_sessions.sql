-- Chats $1, locked by the caller, that would resume a session on one of the runtimes $2, which are about to be deleted.
UPDATE chat_session AS c
SET session_id = NULL
WHERE c.id = ANY ($1)
  AND EXISTS (
      SELECT FROM agent_task_queue AS t
      WHERE t.chat_session_id = c.id AND t.runtime_id = ANY ($2) AND t.session_id = c.session_id
  )
