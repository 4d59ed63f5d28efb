-- When the next runtime can go stale: of those that are there unless they beat, of one that registers after $2 no earlier
-- than its stale_after. $2: when the last sweep had not begun, so that one which went stale while it ran counts too. One
-- that was stale by then was passed over by the sweep, because somebody holds it or it cannot be written; the interval
-- takes care of it. A beat of the future counts as one of $2: added to it, the interval could leave the range of a timestamp.
SELECT LEAST(pg_catalog.min(r.last_seen_at), $2) + pg_catalog.make_interval(secs => $1)
FROM agent_runtime AS r
WHERE r.status = 'online' AND r.last_seen_at > $2 - pg_catalog.make_interval(secs => $1)
