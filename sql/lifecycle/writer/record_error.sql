-- Records the beginning of the error, and the rows that sweeps skip for a while because of it. $3: whether rows are skipped,
-- including events (lifecycle/writer/refuse_events.sql). All rows are tried again when the time of the first one is over, so that a
-- steady stream of refusals delays no row for ever. The caller has locked the row of the state.
UPDATE multica_sweep_state AS s
SET last_error = pg_catalog.left($1, 2000),
    last_error_at = pg_catalog.clock_timestamp(),
    refused_ids = CASE
        WHEN NOT $3 THEN s.refused_ids
        WHEN s.refused_until > pg_catalog.clock_timestamp()
            AND s.refused_until < pg_catalog.clock_timestamp() + interval '6 minutes' THEN s.refused_ids || $2::uuid[]
        ELSE $2::uuid[]
    END,
    refused_until = CASE
        WHEN NOT $3 OR s.refused_until > pg_catalog.clock_timestamp()
            AND s.refused_until < pg_catalog.clock_timestamp() + interval '6 minutes' THEN s.refused_until
        ELSE pg_catalog.clock_timestamp() + interval '5 minutes'
    END
