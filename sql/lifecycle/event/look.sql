-- Checks whether the next id of the event log is above every id that is stored anywhere, and whether the log is where it was at the
-- last check. It compares what is not copied with the rows (the sequence, the server) with what is copied. The state is read as a
-- JSON object, because the table may have fewer columns than the library knows. $1 is the key of the extension's first advisory
-- lock, $2 that of its last one.
SELECT
    CASE
        WHEN k.drawn < k.known THEN 'behind'
        -- Ids were drawn before, but the sequence is at its start: the log was emptied together with it, or created again.
        WHEN k.drawn = 0 AND k.home IS NOT NULL THEN 'behind'
        -- The sequence has jumped, but the transaction of the restart was rolled back, so that the restart is not recorded.
        WHEN k.drawn - k.known > 4294967296 THEN 'behind'
        WHEN k.state IS NULL AND (
            SELECT e.created_at FROM multica_event_log AS e ORDER BY e.id LIMIT 1
        ) < clock_timestamp() - interval '1 hour' THEN 'state_lost'
        WHEN k.state IS NULL THEN 'new'
        WHEN k.known > 0 AND k.home <> k.here THEN 'elsewhere'
        WHEN (k.state ? 'events_home'::text) AND (k.home IS DISTINCT FROM k.here) THEN 'unmarked'
    END AS problem,
    ARRAY(
        SELECT quote_ident(s.subname)
        FROM pg_subscription AS s
        JOIN pg_subscription_rel AS r ON r.srsubid = s.oid
        WHERE s.subenabled AND r.srrelid = 'multica_event_log'::regclass
        ORDER BY s.subname
    ) AS subscriptions,
    -- The last id that a reader of this log can have got.
    CASE WHEN k.is_prepared THEN GREATEST(k.kept, k.drawn) ELSE k.kept END AS last_id,
    GREATEST(k.known, k.drawn) AS highest_id,
    CASE WHEN k.state IS NULL THEN
        COALESCE((SELECT e.id - 1 FROM multica_event_log AS e ORDER BY e.id LIMIT 1), 0::bigint)
    ELSE k.trimmed_to END AS trimmed_to,
    k.here
FROM (
    SELECT
        t.*,
        GREATEST(t.last_kept, t.trimmed_to) AS kept,
        GREATEST(t.last_kept, t.trimmed_to, t.last_read, t.last_lost) AS known
    FROM (
        SELECT
            l.last_value - CASE WHEN l.is_called THEN 0 ELSE 1 END AS drawn,
            (SELECT COALESCE(max(e.id), 0::bigint) FROM multica_event_log AS e) AS last_kept,
            (SELECT COALESCE(max(r.last_id), 0::bigint) FROM multica_event_reader AS r) AS last_read,
            COALESCE((s.state ->> 'events_trimmed_to'::text)::bigint, 0::bigint) AS trimmed_to,
            COALESCE(upper((s.state ->> 'events_lost'::text)::int8multirange) - 1, 0::bigint) AS last_lost,
            s.state,
            s.state ->> 'events_home'::text AS home,
            -- A server that was restored to an earlier moment, or promoted, writes on another timeline; a log that was restored in
            -- its database is another table.
            (SELECT c.system_identifier FROM pg_control_system() AS c) || '/' || CASE
                WHEN pg_is_in_recovery() THEN substr(s.state ->> 'events_home'::text, strpos(s.state ->> 'events_home'::text, '/') + 1)
                ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || '/'
                    || (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                    || '/' || 'multica_event_log'::regclass::oid
            END AS here,
            -- The events that a prepared transaction has recorded are not visible yet.
            EXISTS (
                SELECT
                FROM pg_locks AS h
                WHERE h.locktype = 'advisory'
                  AND h.pid IS NULL
                  AND h.objsubid = 1
                  AND (h.classid::bigint << 32 | h.objid::bigint) BETWEEN $1 AND $2
                  AND h.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            ) AS is_prepared
        FROM multica_event_log_id_seq AS l
        LEFT JOIN LATERAL (SELECT pg_catalog.to_jsonb(o) AS state FROM multica_sweep_state AS o LIMIT 1) AS s ON true
        -- Computed once, because the outer queries use each column several times.
        OFFSET 0
    ) AS t
    OFFSET 0
) AS k
