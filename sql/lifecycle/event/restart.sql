-- Restarts the log. Its next id follows the number of microseconds since 1970, or $3, the highest known id, plus more ids than all
-- open transactions can have drawn in the meantime, whichever is greater. Positions between $1, the last id that a reader can have,
-- and the next id belong to events that are lost. $2: the last trimmed id, if that is not stored yet. $4: where the log is.
WITH moved AS MATERIALIZED (
    SELECT setval(
        'multica_event_log_id_seq'::regclass,
        GREATEST((EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint, $3 + 1048576::bigint)
    ) AS last_id
)
INSERT INTO multica_sweep_state AS s (events_trimmed_to, events_lost, events_home)
SELECT $2, int8multirange(int8range($1, m.last_id, '(]')), $4 FROM moved AS m
ON CONFLICT (only_row) DO UPDATE
SET events_lost = s.events_lost OPERATOR(pg_catalog.+) excluded.events_lost, events_home = excluded.events_home
