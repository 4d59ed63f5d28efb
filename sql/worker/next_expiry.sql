-- Returns when the next runtime can go stale if no heartbeat arrives. A runtime that registers after $2 goes stale no earlier than
-- $1 seconds after $2. $2: a moment before the last sweep began, so that a runtime that went stale during the sweep counts too.
-- Runtimes that were stale before $2 do not count: the sweep has skipped them, because another session holds them or they cannot be
-- written, and the sweep after the interval handles them. A heartbeat in the future counts as a heartbeat at $2, because with $1
-- added it could leave the range of a timestamp.
SELECT LEAST(pg_catalog.min(r.last_seen_at), $2) + pg_catalog.make_interval(secs => $1)
FROM agent_runtime AS r
WHERE r.status = 'online' AND r.last_seen_at > $2 - pg_catalog.make_interval(secs => $1)
