-- A retry has the next attempt of its parent, at most max_attempts, the same agent, issue and chat, and no sibling.
SELECT c.id, c.attempt, p.attempt AS of_parent, c.max_attempts
FROM agent_task_queue AS c
JOIN agent_task_queue AS p ON p.id = c.parent_task_id
WHERE c.attempt <> p.attempt + 1 OR c.attempt > c.max_attempts OR c.agent_id <> p.agent_id
   OR c.issue_id IS DISTINCT FROM p.issue_id OR c.chat_session_id IS DISTINCT FROM p.chat_session_id
UNION ALL
SELECT parent_task_id, count(*), NULL, NULL
FROM agent_task_queue WHERE parent_task_id IS NOT NULL GROUP BY parent_task_id HAVING count(*) > 1;
