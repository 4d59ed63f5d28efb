-- Returns the tasks of an issue and agent that a rerun replaces beside a server: those that no daemon has started.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.issue_id = $1 AND t.agent_id = $2 AND t.status IN ('queued', 'dispatched', 'deferred')
