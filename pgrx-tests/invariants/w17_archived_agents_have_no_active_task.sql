-- No task of an archived agent is active, except those that the application inserted itself, for the foreign issue.
SELECT t.id, t.status, a.name
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
LEFT JOIN issue AS i ON i.id = t.issue_id
WHERE a.archived_at IS NOT NULL AND t.status NOT IN ('completed', 'failed', 'cancelled') AND i.title IS DISTINCT FROM 'foreign';
