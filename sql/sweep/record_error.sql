-- What went wrong, and the rows that sweeps pass over for a while because of it. $3: whether rows are passed over, events
-- (event/refuse.sql) included. All of them are tried again when the while of the first is over: a steady stream of refusals
-- puts off none for ever. Never waits: somebody who sweeps meanwhile holds the row.
WITH state AS (
    SELECT s.only_row, s.refused_until > pg_catalog.clock_timestamp()
        AND s.refused_until < pg_catalog.clock_timestamp() + interval '6 minutes' AS still
    FROM multica_sweep_state AS s
    FOR UPDATE SKIP LOCKED
)
UPDATE multica_sweep_state AS s
SET last_error = $1,
    last_error_at = pg_catalog.clock_timestamp(),
    refused_ids = CASE
        WHEN NOT $3 THEN s.refused_ids
        WHEN state.still THEN s.refused_ids || $2::uuid[]
        ELSE $2::uuid[]
    END,
    refused_until = CASE
        WHEN state.still OR NOT $3 THEN s.refused_until
        ELSE pg_catalog.clock_timestamp() + interval '5 minutes'
    END
FROM state
WHERE s.only_row = state.only_row
