-- Deletes events that the caller has locked. The same statement stores the last deleted id, so that no reader misses events without
-- an error.
WITH gone AS (
    DELETE FROM multica_event_log AS e WHERE e.id = ANY ($1) RETURNING e.id
)
UPDATE multica_sweep_state AS s
SET events_trimmed_to = GREATEST(s.events_trimmed_to, g.last_id)
FROM (SELECT max(x.id) AS last_id, count(*) AS many FROM gone AS x) AS g
WHERE g.last_id IS NOT NULL
RETURNING g.many
