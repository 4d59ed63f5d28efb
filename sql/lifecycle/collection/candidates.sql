-- Locks and returns the runtimes that were offline for longer than $2 seconds and have no agent and no active task. Their
-- workspaces are locked too. It waits for no lock.
SELECT r.id
FROM agent_runtime AS r
JOIN workspace AS w ON w.id = r.workspace_id
WHERE r.status = 'offline'
  AND r.last_seen_at < $1 - make_interval(secs => $2)
  AND r.id <> ALL ($3)
  AND NOT EXISTS (SELECT FROM agent AS a WHERE a.runtime_id = r.id)
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS t
      WHERE t.runtime_id = r.id AND t.status NOT IN ('completed', 'failed', 'cancelled')
  )
ORDER BY r.last_seen_at, r.id
LIMIT $4
FOR KEY SHARE OF w SKIP LOCKED
FOR UPDATE OF r SKIP LOCKED -- noqa: PRS
