-- Tasks of every offline runtime, oldest first, not only of those that this sweep set offline. The runtime is locked too:
-- one whose beat is being written is passed over, one that came back no longer matches. $2 NULL: no grace.
SELECT t.id
FROM agent_task_queue AS t
JOIN agent_runtime AS r ON r.id = t.runtime_id
WHERE t.status IN ('dispatched', 'running')
  AND r.status = 'offline'
  AND ($2 IS NULL OR COALESCE(r.last_seen_at, r.updated_at) < $1 - make_interval(secs => $2))
  AND t.id <> ALL ($3)
ORDER BY t.dispatched_at, t.id
LIMIT $4
FOR UPDATE OF t SKIP LOCKED
FOR NO KEY UPDATE OF r SKIP LOCKED
