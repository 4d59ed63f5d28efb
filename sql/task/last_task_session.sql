-- Returns the session of the agent's last task on the issue that has one. Cancelled tasks are included, because a user who stops a
-- task wants to continue there. Tasks that were cancelled while they were queued are not included, because their values are older
-- than those of tasks that ran since.
SELECT t.session_id, t.work_dir
FROM agent_task_queue AS t
WHERE t.issue_id = $1
  AND t.agent_id = $2
  AND t.status IN ('completed', 'failed', 'cancelled')
  AND (t.status <> 'cancelled' OR t.dispatched_at IS NOT NULL)
  AND t.session_id IS NOT NULL
ORDER BY COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at) DESC, t.id DESC
LIMIT 1
