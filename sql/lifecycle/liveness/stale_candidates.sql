-- Locks and returns stale runtimes. sweep/guard.sql tells whether there are any. A runtime whose heartbeat is being written is skipped,
-- and a runtime whose heartbeat was committed no longer matches: of heartbeat and sweep, the first one wins. The whole table is read,
-- because with an index on last_seen_at no heartbeat could be a heap-only update. Runtimes of any status whose last heartbeat is in the
-- future are returned too: the clock was set back, and their silence would not count until the clock catches up. One minute is allowed
-- for heartbeats that are written while this statement runs.
SELECT r.id, COALESCE(r.last_seen_at, r.updated_at) > $1 + interval '1 minute'
FROM agent_runtime AS r
WHERE (
    (r.status = 'online' AND r.last_seen_at < $1 - make_interval(secs => $2))
    OR COALESCE(r.last_seen_at, r.updated_at) > $1 + interval '1 minute'
  )
  AND r.id <> ALL ($3)
ORDER BY r.last_seen_at, r.id
LIMIT $4
FOR NO KEY UPDATE SKIP LOCKED
