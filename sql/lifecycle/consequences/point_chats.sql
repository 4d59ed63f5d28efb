-- Stores in each chat where its turn ended, whatever the outcome of the turn was, because the next turn resumes there. A turn that
-- is passed late, after a later turn of the chat has ended, is not stored.
UPDATE chat_session AS c
SET
    -- feature chat_runtime
    runtime_id = t.runtime_id,
    -- end chat_runtime
    session_id = t.session_id,
    work_dir = COALESCE(t.work_dir, c.work_dir),
    updated_at = $2
FROM agent_task_queue AS t
WHERE t.id = ANY ($1)
  AND c.id = t.chat_session_id
  AND t.dispatched_at IS NOT NULL
  AND t.session_id IS NOT NULL
  AND (
      c.session_id IS DISTINCT FROM t.session_id
      -- feature chat_runtime
      OR c.runtime_id IS DISTINCT FROM t.runtime_id
      -- end chat_runtime
      OR c.work_dir IS DISTINCT FROM COALESCE(t.work_dir, c.work_dir)
  )
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.chat_session_id = c.id AND o.completed_at > t.completed_at AND o.dispatched_at IS NOT NULL
  )
