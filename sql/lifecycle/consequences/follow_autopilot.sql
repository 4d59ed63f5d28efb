-- Ends the autopilot runs of the tasks $1, each only once. The run of a task ends with the task. The run of an issue ends when a task
-- of the issue has failed and the issue has no active task; a deferred retry is active.
UPDATE autopilot_run AS r
SET status = 'failed', completed_at = $2, failure_reason = e.failure_reason
FROM (
    SELECT DISTINCT ON (u.run_id) u.run_id, COALESCE(u.error, 'task ' || u.status) AS failure_reason
    FROM (
        SELECT t.autopilot_run_id AS run_id, t.id, t.status, t.error, t.completed_at
        FROM agent_task_queue AS t
        WHERE t.id = ANY ($1) AND t.status IN ('failed', 'cancelled')
        UNION ALL
        SELECT p.id, t.id, t.status, t.error, t.completed_at
        FROM agent_task_queue AS t
        JOIN autopilot_run AS p ON p.issue_id = t.issue_id
        WHERE t.id = ANY ($1)
          AND t.status = 'failed'
          AND NOT EXISTS (
              SELECT FROM agent_task_queue AS o
              WHERE o.issue_id = t.issue_id AND o.status NOT IN ('completed', 'failed', 'cancelled')
          )
    ) AS u
    ORDER BY u.run_id, u.completed_at DESC, u.id
) AS e
WHERE r.id = e.run_id AND r.status IN ('issue_created', 'running')
RETURNING r.id
