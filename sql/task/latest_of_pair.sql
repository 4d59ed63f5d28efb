-- Returns the agent's latest task on the issue, whatever its status is; if $3, the latest one that has a session. A task that was
-- cancelled while it was queued has not run.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.issue_id = $1
  AND t.agent_id = $2
  AND (t.status <> 'cancelled' OR t.dispatched_at IS NOT NULL)
  AND (t.session_id IS NOT NULL OR NOT $3)
ORDER BY COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at) DESC, t.id DESC
LIMIT 1
