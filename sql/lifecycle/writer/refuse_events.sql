-- Events that could not be trimmed. They stay listed until they are gone, because what is trimmed next begins behind them. The
-- caller has locked the row.
UPDATE multica_sweep_state AS s
SET refused_event_ids = ARRAY(
    SELECT u.id FROM pg_catalog.unnest(s.refused_event_ids || $1) AS u (id) GROUP BY u.id ORDER BY u.id
)
