-- Returns what decides whether the silence of runtimes means that they are dead. $2: the seconds after which a runtime is stale.
-- newest: the last heartbeat of any runtime. is_silent: it is older than that, and a runtime is still online, so that it would be set
-- offline. has_candidates: lifecycle/liveness/stale_candidates.sql, which has the same condition, finds a runtime at the time $1. That
-- statement reads the whole table too, and an idle sweep need not read it twice. The state is read as a JSON object, because the table
-- may have fewer columns than the library knows; can_store: it has them all.
SELECT
    CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END AS timeline,
    s.state ->> 'timeline'::text AS recorded_timeline,
    s.held_since,
    r.newest,
    COALESCE(r.newest < $1 - make_interval(secs => $2) AND r.is_online, false) AS is_silent,
    COALESCE(r.has_candidates, false) AS has_candidates,
    EXISTS (
        SELECT FROM pg_attribute AS c
        WHERE c.attrelid = to_regclass('multica_sweep_state') AND c.attname = 'held_since' AND NOT c.attisdropped
    ) AS can_store
FROM (
    SELECT
        max(a.last_seen_at) AS newest,
        bool_or(a.status = 'online' AND a.last_seen_at IS NOT NULL) AS is_online,
        bool_or(
            (a.status = 'online' AND a.last_seen_at < $1 - make_interval(secs => $2))
            OR COALESCE(a.last_seen_at, a.updated_at) > $1 + interval '1 minute'
        ) AS has_candidates
    FROM agent_runtime AS a
) AS r
LEFT JOIN (
    SELECT j.state, (j.state ->> 'held_since'::text)::timestamptz AS held_since
    FROM (SELECT pg_catalog.to_jsonb(t) AS state FROM multica_sweep_state AS t) AS j
) AS s ON true
