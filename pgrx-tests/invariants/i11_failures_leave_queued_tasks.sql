-- A transaction that fails tasks changes no other queued task of any agent, except those that expire with them. A queued task is
-- claimed, cancelled, taken over by the run that was before it, or expires.
WITH queued AS (
    SELECT h.*, t.failure_reason, p.failure_reason AS of_parent
    FROM history AS h
    JOIN agent_task_queue AS t ON t.id = h.task
    LEFT JOIN agent_task_queue AS p ON p.id = t.parent_task_id
    WHERE h.before = 'queued' AND h.after <> 'dispatched'
      AND NOT (h.after = 'failed' AND t.failure_reason = 'queued_expired')
)
SELECT f.task AS failed, q.task AS touched, q.after
FROM history AS f
JOIN queued AS q ON q.transaction = f.transaction AND q.task <> f.task
WHERE f.after = 'failed'
UNION ALL
SELECT task, task, after FROM queued
WHERE after <> 'cancelled' AND NOT (after = 'running' AND COALESCE(of_parent IN ('runtime_offline', 'timeout'), false));
