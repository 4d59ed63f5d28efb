-- Names have their schema although the search_path is pinned, so that a program that knows only pg_catalog can check the function.
CREATE FUNCTION multica_metrics() RETURNS SETOF multica_metric
LANGUAGE sql STABLE
SET search_path = @extschema@, pg_temp
AS $metrics$
    SELECT m.name, m.labels, m.value
    FROM @extschema@.multica_status() AS s
    CROSS JOIN LATERAL (VALUES
        ('multica_preloaded', '{}'::pg_catalog.jsonb, s.preloaded::integer::double precision),
        ('multica_sweep_on', '{}', (s.sweep OPERATOR(pg_catalog.=) 'on')::integer::double precision),
        ('multica_launcher_up', '{}', (s.launcher_pid IS NOT NULL)::integer::double precision),
        ('multica_last_sweep_timestamp_seconds', '{}', extract(epoch FROM s.last_sweep_at)::double precision),
        ('multica_last_sweep_milliseconds', '{}', s.last_sweep_ms),
        ('multica_last_error_timestamp_seconds', '{}', extract(epoch FROM s.last_error_at)::double precision),
        ('multica_rows_refused', '{}', pg_catalog.cardinality(s.refused_ids)::double precision),
        ('multica_events_refused', '{}', pg_catalog.cardinality(s.refused_event_ids)::double precision),
        ('multica_last_sweep', '{"what": "runtimes_offline"}', s.last_runtimes_offline::double precision),
        ('multica_last_sweep', '{"what": "tasks_failed"}', s.last_tasks_failed::double precision),
        ('multica_last_sweep', '{"what": "tasks_timed_out"}', s.last_tasks_timed_out::double precision),
        ('multica_last_sweep', '{"what": "tasks_retried"}', s.last_tasks_retried::double precision),
        ('multica_last_sweep', '{"what": "issues_reset"}', s.last_issues_reset::double precision),
        ('multica_last_sweep', '{"what": "agents_reconciled"}', s.last_agents_reconciled::double precision),
        ('multica_last_sweep', '{"what": "runtimes_deleted"}', s.last_runtimes_deleted::double precision),
        ('multica_sweeps_total', '{}', s.total_sweeps::double precision),
        ('multica_swept_total', '{"what": "runtimes_offline"}', s.total_runtimes_offline::double precision),
        ('multica_swept_total', '{"what": "tasks_failed"}', s.total_tasks_failed::double precision),
        ('multica_swept_total', '{"what": "tasks_timed_out"}', s.total_tasks_timed_out::double precision),
        ('multica_swept_total', '{"what": "tasks_retried"}', s.total_tasks_retried::double precision),
        ('multica_swept_total', '{"what": "issues_reset"}', s.total_issues_reset::double precision),
        ('multica_swept_total', '{"what": "agents_reconciled"}', s.total_agents_reconciled::double precision),
        ('multica_swept_total', '{"what": "runtimes_deleted"}', s.total_runtimes_deleted::double precision),
        ('multica_totals_since_timestamp_seconds', '{}', extract(epoch FROM s.totals_since)::double precision),
        ('multica_runtimes', '{"status": "online"}', s.runtimes_online::double precision),
        ('multica_runtimes', '{"status": "offline"}', s.runtimes_offline::double precision),
        ('multica_tasks', '{"status": "queued"}', s.tasks_queued::double precision),
        ('multica_tasks', '{"status": "dispatched"}', s.tasks_dispatched::double precision),
        ('multica_tasks', '{"status": "running"}', s.tasks_running::double precision),
        ('multica_tasks', '{"status": "waiting_local_directory"}', s.tasks_waiting::double precision),
        ('multica_tasks', '{"status": "deferred"}', s.tasks_deferred::double precision),
        ('multica_tasks_unclaimable', '{}', s.tasks_unclaimable::double precision),
        ('multica_oldest_queued_seconds', '{}', s.oldest_queued_secs),
        ('multica_events_kept', '{}', s.events_kept::double precision),
        ('multica_events_held', '{}', s.events_held::double precision),
        ('multica_events_held_since_timestamp_seconds', '{}', extract(epoch FROM s.events_held_since)::double precision),
        ('multica_slowest_reader_behind', pg_catalog.jsonb_build_object('reader', s.slowest_reader), s.slowest_reader_behind::double precision),
        ('multica_event_log_trouble', '{}', (s.event_log_trouble IS NOT NULL)::integer::double precision),
        ('multica_verdicts_held', '{}', (s.verdicts_held_until IS NOT NULL)::integer::double precision),
        ('multica_stages_off', '{}', pg_catalog.cardinality(s.stages_off)::double precision)
    ) AS m (name, labels, value)
    WHERE m.value IS NOT NULL
$metrics$;
