-- Lets a chat point to the session of its cancelled turn $1, unless a turn that ended later, or that is open, has a session.
UPDATE chat_session AS c
SET
    -- feature chat_runtime
    runtime_id = t.runtime_id,
    -- end chat_runtime
    session_id = t.session_id,
    work_dir = COALESCE(t.work_dir, c.work_dir),
    updated_at = $2
FROM agent_task_queue AS t
WHERE t.id = $1
  AND c.id = t.chat_session_id
  AND t.status = 'cancelled'
  AND t.session_id IS NOT NULL
  AND t.runtime_id IS NOT NULL
  -- feature retired
  AND t.session_id IS DISTINCT FROM t.retired_session_id
  -- end retired
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.chat_session_id = t.chat_session_id
        AND o.id <> t.id
        AND o.session_id IS NOT NULL
        AND (
            o.completed_at > COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at)
            OR (o.completed_at IS NULL AND o.status NOT IN ('completed', 'failed', 'cancelled'))
        )
  )
