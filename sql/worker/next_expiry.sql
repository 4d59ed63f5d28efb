-- When the next runtime goes stale unless it beats. One that is stale already was passed over by the sweep, because
-- somebody holds it or it cannot be written; the interval takes care of it. A beat of the future counts as one of now: added
-- to it, the interval could leave the range of a timestamp.
SELECT LEAST(pg_catalog.min(r.last_seen_at), pg_catalog.clock_timestamp()) + pg_catalog.make_interval(secs => $1)
FROM agent_runtime AS r
WHERE r.status = 'online' AND r.last_seen_at > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1)
