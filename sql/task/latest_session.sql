-- What the agent's latest task of the issue has pinned, whatever became of the task. A task that was cancelled while it waited
-- has not run. A session is resumed only where it was: not after the agent was bound to another runtime.
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
