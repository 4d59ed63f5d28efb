-- Returns what the agent's latest task on the issue has pinned, whatever its status is. A task that was cancelled while it was
-- queued has not run. A session is resumed only on the runtime where it was, so not after the agent was bound to another runtime.
SELECT
    CASE WHEN t.runtime_id = (SELECT a.runtime_id FROM agent AS a WHERE a.id = t.agent_id) THEN t.session_id END,
    t.work_dir
FROM agent_task_queue AS t
WHERE t.issue_id = $1
  AND t.agent_id = $2
  AND (t.status <> 'cancelled' OR t.dispatched_at IS NOT NULL)
  AND t.session_id IS NOT NULL
ORDER BY COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at) DESC, t.id DESC
LIMIT 1
