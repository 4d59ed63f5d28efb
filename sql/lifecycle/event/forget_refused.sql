-- Events that could not be trimmed once and are deleted now.
UPDATE multica_sweep_state AS s
SET refused_event_ids = ARRAY(
    SELECT u.id FROM pg_catalog.unnest(s.refused_event_ids) AS u (id)
    WHERE EXISTS (SELECT FROM multica_event_log AS e WHERE e.id = u.id)
    ORDER BY u.id
)
