-- Each task that was queued has an event, except those that the application inserted itself, for the foreign issue.
SELECT t.id, t.status
FROM agent_task_queue AS t
LEFT JOIN issue AS i ON i.id = t.issue_id
WHERE i.title IS DISTINCT FROM 'foreign' AND NOT EXISTS (
    SELECT FROM multica_event_log AS e WHERE e.type = 'task:queued' AND e.payload ->> 'task_id' = t.id::text
);
