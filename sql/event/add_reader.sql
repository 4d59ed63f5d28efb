-- A new reader begins with the oldest event that is kept.
INSERT INTO multica_event_reader (reader, last_id, created_at, taken_at)
SELECT $1, COALESCE((SELECT s.events_trimmed_to FROM multica_sweep_state AS s), 0), $2, $2
ON CONFLICT (reader) DO NOTHING
