-- Locks, without waiting, the messages of the users that the turns $1 answer, if their place in the transcript is before a message that
-- is visible already. Each turn answers the messages that refer to it. Messages of turns that were not claimed yet are not visible.
-- A message is written with its turn, so the search begins shortly before the first of the turns was created.
-- feature chat_input
SELECT m.id
FROM chat_message AS m
WHERE m.chat_session_id = ANY (ARRAY(SELECT t.chat_session_id FROM agent_task_queue AS t WHERE t.id = ANY ($1)))
  AND m.created_at >= (SELECT min(t.created_at) - interval '1 hour' FROM agent_task_queue AS t WHERE t.id = ANY ($1))
  AND m.role = 'user'
  AND m.task_id = ANY ($1)
  AND (
      SELECT true
      FROM chat_message AS o
      WHERE o.chat_session_id = m.chat_session_id
        AND o.created_at >= m.created_at
        AND o.task_id IS DISTINCT FROM m.task_id
        AND (
            o.role <> 'user'
            OR (SELECT w.status IN ('queued', 'deferred') FROM agent_task_queue AS w WHERE w.id = o.task_id) IS NOT TRUE
        )
      ORDER BY o.created_at DESC
      LIMIT 1
  )
FOR NO KEY UPDATE OF m SKIP LOCKED
-- end chat_input
-- without chat_input
--| SELECT NULL::uuid AS id WHERE false
-- end chat_input
