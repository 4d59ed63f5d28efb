-- The newest task of each issue has ended without a possible retry, or is active and its agent is not archived. Tasks
-- that the application inserted itself, for the foreign issue, may have an archived agent.
SELECT i.title, t.id, t.status, t.failure_reason, t.attempt, t.max_attempts, a.archived_at
FROM issue AS i
JOIN LATERAL (
    SELECT o.* FROM agent_task_queue AS o WHERE o.issue_id = i.id ORDER BY o.created_at DESC, o.id DESC LIMIT 1
) AS t ON true
JOIN agent AS a ON a.id = t.agent_id
WHERE NOT (
    t.status IN ('completed', 'cancelled')
    OR (t.status IN ('queued', 'dispatched', 'running') AND (a.archived_at IS NULL OR i.title = 'foreign'))
    OR (t.status = 'failed' AND (
        t.failure_reason NOT IN ('runtime_offline', 'runtime_recovery', 'timeout') OR t.attempt >= t.max_attempts
    ))
);
