-- Returns runtimes, and whether each is online and its last heartbeat is at most $3 seconds older than $2. The time is not a
-- condition, so that the index of last_seen_at cannot be chosen.
SELECT r.*, (r.status = 'online' AND r.last_seen_at <= $2 AND r.last_seen_at > $2 - make_interval(secs => $3)) AS is_seen_lately
FROM agent_runtime AS r
WHERE r.id = ANY ($1)
