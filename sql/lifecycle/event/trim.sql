-- Deletes events that the caller has locked. How far is stored in the same statement, so that no reader meets a silent gap.
WITH gone AS (
    DELETE FROM multica_event_log AS e WHERE e.id = ANY ($1) RETURNING e.id
)
UPDATE multica_sweep_state AS s
SET events_trimmed_to = GREATEST(s.events_trimmed_to, g.last_id)
FROM (SELECT max(x.id) AS last_id, count(*) AS many FROM gone AS x) AS g
WHERE g.last_id IS NOT NULL
RETURNING g.many
