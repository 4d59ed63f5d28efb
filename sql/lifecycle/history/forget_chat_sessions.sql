-- Removes the session from those of the chats $1 that would resume it on one of the runtimes $2, which are about to be deleted. The
-- caller has locked the chats.
UPDATE chat_session AS c
SET session_id = NULL
WHERE c.id = ANY ($1)
  AND EXISTS (
      SELECT FROM agent_task_queue AS t
      WHERE t.chat_session_id = c.id AND t.runtime_id = ANY ($2) AND t.session_id = c.session_id
  )
