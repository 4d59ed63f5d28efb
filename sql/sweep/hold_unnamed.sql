-- Locks, without waiting, the tasks $1 and the rows about them that heartbeats write, and returns the tasks that it has locked. A
-- heartbeat that is just naming a task again holds such a row.
SELECT t.id
FROM agent_task_queue AS t
JOIN multica_task_unnamed AS u ON u.task_id = t.id
WHERE t.id = ANY ($1)
FOR NO KEY UPDATE OF t, u SKIP LOCKED
