-- When the next runtime can go stale, if no heartbeat arrives; for one that registers after $2, no earlier than its stale_after.
-- $2: before the last sweep began, so that a runtime which went stale while it ran counts too. The sweep has skipped those that
-- were stale by then, because another session holds them or they cannot be written; the interval takes care of them. A heartbeat
-- of the future counts as one of $2: added to it, the interval could leave the range of a timestamp.
SELECT LEAST(pg_catalog.min(r.last_seen_at), $2) + pg_catalog.make_interval(secs => $1)
FROM agent_runtime AS r
WHERE r.status = 'online' AND r.last_seen_at > $2 - pg_catalog.make_interval(secs => $1)
