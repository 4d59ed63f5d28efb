-- The newest task of every issue has ended for good, or is active on an agent that is not archived, an application's own
-- insert for a foreign issue aside.
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
