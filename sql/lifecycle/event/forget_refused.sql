-- Removes events that are deleted now from the list of events that could not be trimmed.
UPDATE multica_sweep_state AS s
SET refused_event_ids = ARRAY(
    SELECT u.id FROM pg_catalog.unnest(s.refused_event_ids) AS u (id)
    WHERE EXISTS (SELECT FROM multica_event_log AS e WHERE e.id = u.id)
    ORDER BY u.id
)
