-- Locks and returns at most $2 tasks of the runtimes $1 whose agents have no runtime. Rows that other sessions hold are
-- left for the next sweep. Another statement writes the rows, because it sees them as they were locked here.
SELECT t.id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE t.runtime_id = ANY ($1) AND a.runtime_id IS NULL
LIMIT $2
FOR NO KEY UPDATE OF a, t SKIP LOCKED
