-- Each failed task has one event, and if the event names a retry, the retry exists.
SELECT t.id, t.failure_reason, count(e.id) AS events, max(e.payload ->> 'retry_task_id') AS retry_in_event
FROM agent_task_queue AS t
LEFT JOIN multica_event_log AS e ON e.type = 'task:failed' AND e.payload ->> 'task_id' = t.id::text
WHERE t.status = 'failed'
GROUP BY t.id
HAVING count(e.id) <> 1 OR EXISTS (
    SELECT FROM (SELECT max(e.payload ->> 'retry_task_id') AS id) AS r
    WHERE r.id IS NOT NULL
      AND NOT EXISTS (SELECT FROM agent_task_queue AS c WHERE c.id::text = r.id AND c.parent_task_id = t.id)
);
