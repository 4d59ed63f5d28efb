-- The ORDER BY is that of the index on a chat's tasks, so that a long chat costs no more than a short one.
SELECT t.session_id, t.work_dir
FROM agent_task_queue AS t
WHERE t.chat_session_id = $1
  AND t.status IN ('completed', 'failed', 'cancelled')
  AND (t.status <> 'cancelled' OR t.dispatched_at IS NOT NULL)
  AND t.session_id IS NOT NULL
  AND t.completed_at IS NOT NULL
ORDER BY t.completed_at DESC, t.id DESC
LIMIT 1
