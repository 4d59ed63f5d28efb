-- Adds events that could not be trimmed to the list. They stay listed until they are deleted, because the next trim begins after
-- them. The caller has locked the row of the state.
UPDATE multica_sweep_state AS s
SET refused_event_ids = ARRAY(
    SELECT u.id FROM pg_catalog.unnest(s.refused_event_ids || $1) AS u (id) GROUP BY u.id ORDER BY u.id
)
