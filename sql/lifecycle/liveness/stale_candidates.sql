-- A runtime whose heartbeat is being written is skipped, and one whose heartbeat has arrived no longer matches: the first one
-- wins. The table is read whole, because with an index on last_seen_at no heartbeat could be a heap-only update. With them come
-- runtimes of any status that were seen later than now: the clock was set back, and their silence would not count until it
-- catches up. The minute is for heartbeats that are written while this runs.
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
