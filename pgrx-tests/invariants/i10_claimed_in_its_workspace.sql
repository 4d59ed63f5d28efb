-- Each task that was ever claimed belongs to the workspace of its runtime.
SELECT t.id, w.id AS workspace_id
FROM agent_task_queue AS t
JOIN agent_runtime AS r ON r.id = t.runtime_id
LEFT JOIN issue AS i ON i.id = t.issue_id
LEFT JOIN chat_session AS c ON c.id = t.chat_session_id
JOIN agent AS a ON a.id = t.agent_id
JOIN workspace AS w ON w.id = COALESCE(i.workspace_id, c.workspace_id, a.workspace_id)
WHERE t.dispatched_at IS NOT NULL AND w.id <> r.workspace_id;
