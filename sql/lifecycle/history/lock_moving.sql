-- Locks and returns at most $2 tasks that move to the runtime of their agent, with that runtime and the chat. Rows that other
-- sessions hold are left for the next sweep. Another statement writes the rows, because it sees them as they were locked here.
SELECT t.id, a.runtime_id, t.chat_session_id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
JOIN agent_runtime AS n ON n.id = a.runtime_id
WHERE t.runtime_id = ANY ($1) AND a.runtime_id <> ALL ($1)
LIMIT $2
FOR NO KEY UPDATE OF a, t SKIP LOCKED
FOR KEY SHARE OF n SKIP LOCKED -- noqa: PRS
