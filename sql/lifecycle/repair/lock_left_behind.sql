-- Locks and returns the tasks in $1 that still wait on a runtime other than their agent's, with the agent's runtime. Rows
-- that other sessions hold are left for the next sweep. Another statement writes the rows, because it sees them as they were locked
-- here.
SELECT t.id, a.runtime_id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
JOIN agent_runtime AS n ON n.id = a.runtime_id
WHERE t.id = ANY ($1) AND t.status IN ('queued', 'deferred') AND t.runtime_id <> a.runtime_id
FOR NO KEY UPDATE OF a, t SKIP LOCKED
FOR KEY SHARE OF n SKIP LOCKED -- noqa: PRS
