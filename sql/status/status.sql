-- Returns the state of the database in one row. $2–$8 and $11–$14 come from the library: they are in shared memory or settings. $9
-- is the lowest id of an event that an open transaction holds back, $10 is when this transaction began.
SELECT
    $2 AS preloaded,
    COALESCE((
        SELECT lower(split_part(c.said, '=', 2) COLLATE "C")
        FROM pg_db_role_setting AS d
        CROSS JOIN LATERAL pg_catalog.unnest(d.setconfig) AS c (said)
        WHERE d.setdatabase = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database())
          AND d.setrole = 0
          AND starts_with(c.said, 'multica.sweep=')
    ), 'off') AS sweep,
    make_interval(secs => $3) AS stale_after,
    make_interval(secs => $4) AS offline_grace,
    make_interval(secs => $11) AS queued_ttl,
    make_interval(secs => $12) AS finish_after,
    make_interval(secs => $13) AS lost_after,
    make_interval(secs => $14) AS idle_timeout,
    $5 AS launcher_pid,
    GREATEST(s.last_sweep_at, $6) AS last_sweep_at,
    s.last_sweep_ms,
    COALESCE(s.runtimes_offline, 0::bigint) AS last_runtimes_offline,
    COALESCE(s.tasks_failed, 0::bigint) AS last_tasks_failed,
    COALESCE(s.tasks_timed_out, 0::bigint) AS last_tasks_timed_out,
    COALESCE(s.tasks_retried, 0::bigint) AS last_tasks_retried,
    COALESCE(s.issues_reset, 0::bigint) AS last_issues_reset,
    COALESCE(s.agents_reconciled, 0::bigint) AS last_agents_reconciled,
    COALESCE(s.runtimes_deleted, 0::bigint) AS last_runtimes_deleted,
    CASE WHEN $8 > COALESCE(s.last_error_at, '-infinity') THEN $7 ELSE s.last_error END AS last_error,
    GREATEST(s.last_error_at, $8) AS last_error_at,
    CASE WHEN s.refused_until > $1 AND s.refused_until < $1 + interval '6 minutes' THEN s.refused_ids ELSE '{}' END AS refused_ids,
    ARRAY(
        SELECT x.id::bigint
        FROM pg_catalog.jsonb_array_elements_text(pg_catalog.to_jsonb(s) -> 'refused_event_ids'::text) AS x (id)
    ) AS refused_event_ids,
    r.online AS runtimes_online,
    r.offline AS runtimes_offline,
    q.queued AS tasks_queued,
    f.dispatched AS tasks_dispatched,
    f.running AS tasks_running,
    f.waiting AS tasks_waiting,
    y.deferred AS tasks_deferred,
    q.unclaimable AS tasks_unclaimable,
    (EXTRACT(EPOCH FROM $1) - EXTRACT(EPOCH FROM LEAST(q.oldest, $1)))::double precision AS oldest_queued_secs,
    e.drawn - COALESCE(s.events_trimmed_to, 0::bigint) - gap.kept AS events_kept,
    GREATEST(e.drawn - $9 - gap.held, 0) AS events_held,
    $10 AS events_held_since,
    n.reader AS slowest_reader,
    e.drawn - n.last_id - gap.to_read AS slowest_reader_behind
FROM (VALUES (true)) AS one (there)
LEFT JOIN multica_sweep_state AS s ON true
CROSS JOIN (
    SELECT
        count(*) FILTER (WHERE a.status = 'online') AS online,
        count(*) FILTER (WHERE a.status <> 'online') AS offline
    FROM agent_runtime AS a
) AS r
CROSS JOIN (
    SELECT
        count(*) FILTER (WHERE t.status = 'dispatched') AS dispatched,
        count(*) FILTER (WHERE t.status = 'running') AS running,
        count(*) FILTER (WHERE t.status = 'waiting_local_directory') AS waiting
    FROM agent_task_queue AS t
    WHERE t.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
) AS f
CROSS JOIN (
    -- without deferred
    --| SELECT 0::bigint AS deferred
    -- end deferred
    -- feature deferred
    SELECT count(*) AS deferred FROM agent_task_queue AS t WHERE t.status = 'deferred'
    -- end deferred
) AS y
CROSS JOIN (
    SELECT
        count(*) AS queued,
        min(t.created_at) AS oldest,
        count(*) FILTER (
            WHERE a.archived_at IS NOT NULL
               OR m.status <> 'online'
               OR m.workspace_id IS DISTINCT FROM COALESCE(
                   (SELECT o.workspace_id FROM issue AS o WHERE o.id = t.issue_id),
                   (SELECT o.workspace_id FROM chat_session AS o WHERE o.id = t.chat_session_id),
                   (
                       SELECT o.workspace_id FROM autopilot AS o
                       WHERE o.id = (SELECT x.autopilot_id FROM autopilot_run AS x WHERE x.id = t.autopilot_run_id)
                   ),
                   (SELECT o.workspace_id FROM agent AS o WHERE o.id = t.agent_id)
               )
        ) AS unclaimable
    FROM agent_task_queue AS t
    JOIN agent AS a ON a.id = t.agent_id
    JOIN agent_runtime AS m ON m.id = t.runtime_id
    WHERE t.status = 'queued'
) AS q
CROSS JOIN (
    SELECT l.last_value - CASE WHEN l.is_called THEN 0 ELSE 1 END AS drawn FROM multica_event_log_id_seq AS l
) AS e
LEFT JOIN (
    SELECT o.reader, o.last_id FROM multica_event_reader AS o ORDER BY o.last_id, o.reader LIMIT 1
) AS n ON true
-- Ids that no event got: above the last trimmed id, above the lowest held id, and above the position of the slowest reader.
CROSS JOIN LATERAL (
    SELECT
        COALESCE(sum(d.many) FILTER (WHERE d.what = 'kept'), 0)::bigint AS kept,
        COALESCE(sum(d.many) FILTER (WHERE d.what = 'held'), 0)::bigint AS held,
        COALESCE(sum(d.many) FILTER (WHERE d.what = 'to read'), 0)::bigint AS to_read
    FROM (
        SELECT f.what, upper(g) - lower(g) AS many
        FROM (VALUES
            ('kept', COALESCE(s.events_trimmed_to, 0::bigint)), ('held', $9), ('to read', n.last_id)
        ) AS f (what, after)
        CROSS JOIN LATERAL pg_catalog.unnest(
            COALESCE((pg_catalog.to_jsonb(s) ->> 'events_lost'::text)::int8multirange, '{}')
            OPERATOR(pg_catalog.*) int8multirange(int8range(LEAST(f.after, e.drawn), e.drawn, '(]'))
        ) AS g
    ) AS d
) AS gap
