-- 0.2.0: what sweeps did since the beginning (multica_status, multica_metrics), and a list of the named readers.
-- Afterwards run SELECT * FROM multica_install(), which makes the table that sweeps are counted in.

CREATE TYPE @extschema@.multica_reader AS (
    reader text, last_id bigint, behind bigint, created_at timestamptz, taken_at timestamptz
);

-- A server that still runs the library of 0.1.0 does not have the function: nothing of this update is done then.
DO $library$
BEGIN
    CREATE FUNCTION @extschema@.multica_list_readers() RETURNS SETOF @extschema@.multica_reader
    STABLE STRICT
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_list_readers_wrapper';
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION 'the loaded library of multica is older than version 0.2.0'
    USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Install the newer package, restart the server where it preloads multica, connect anew, then run '
            'ALTER EXTENSION multica UPDATE; again.';
END
$library$;

ALTER TYPE @extschema@.multica_status_report
    ADD ATTRIBUTE total_sweeps bigint,
    ADD ATTRIBUTE total_runtimes_offline bigint,
    ADD ATTRIBUTE total_tasks_failed bigint,
    ADD ATTRIBUTE total_tasks_timed_out bigint,
    ADD ATTRIBUTE total_tasks_retried bigint,
    ADD ATTRIBUTE total_issues_reset bigint,
    ADD ATTRIBUTE total_agents_reconciled bigint,
    ADD ATTRIBUTE total_runtimes_deleted bigint,
    ADD ATTRIBUTE totals_since timestamptz;

CREATE OR REPLACE FUNCTION @extschema@.multica_metrics() RETURNS SETOF @extschema@.multica_metric
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
        ('multica_tasks_unclaimable', '{}', s.tasks_unclaimable::double precision),
        ('multica_oldest_queued_seconds', '{}', s.oldest_queued_secs),
        ('multica_events_kept', '{}', s.events_kept::double precision),
        ('multica_events_held', '{}', s.events_held::double precision),
        ('multica_events_held_since_timestamp_seconds', '{}', extract(epoch FROM s.events_held_since)::double precision),
        ('multica_slowest_reader_behind', pg_catalog.jsonb_build_object('reader', s.slowest_reader), s.slowest_reader_behind::double precision)
    ) AS m (name, labels, value)
    WHERE m.value IS NOT NULL
$metrics$;

CREATE OR REPLACE PROCEDURE @extschema@.multica_sweep_all(stale_secs double precision DEFAULT NULL)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    again boolean;
    passes bigint;
BEGIN
    SELECT s.more INTO again FROM @extschema@.multica_sweep(stale_secs) AS s;
    COMMIT;
    IF NOT again THEN
        RETURN;
    END IF;
    SELECT pg_catalog.div(pg_catalog.sum(left_over.many), pg_catalog.current_setting('multica.batch_size')::pg_catalog.numeric)::bigint
    INTO passes
    FROM (
        SELECT pg_catalog.count(*)::pg_catalog.numeric AS many
        FROM @extschema@.agent_task_queue AS t
        WHERE t.status OPERATOR(pg_catalog.=) ANY ('{dispatched,running}'::pg_catalog.text[])
        UNION ALL
        SELECT pg_catalog.count(*) FROM @extschema@.agent_runtime
        UNION ALL
        -- Ids of events are drawn one after the other: no more than this are there.
        SELECT e.last_id::pg_catalog.numeric OPERATOR(pg_catalog.-) e.first_id::pg_catalog.numeric
        FROM (SELECT pg_catalog.min(o.id) AS first_id, pg_catalog.max(o.id) AS last_id FROM @extschema@.multica_event_log AS o) AS e
        UNION ALL
        -- What is re-pointed before a runtime is deleted, runtime by runtime: the history is not read whole.
        SELECT pg_catalog.sum(h.many)
        FROM @extschema@.agent_runtime AS r
        CROSS JOIN LATERAL (
            SELECT pg_catalog.count(*) AS many
            FROM @extschema@.agent_task_queue AS t
            WHERE t.runtime_id OPERATOR(pg_catalog.=) r.id
        ) AS h
        WHERE r.status OPERATOR(pg_catalog.=) 'offline'::pg_catalog.text
          AND r.last_seen_at OPERATOR(pg_catalog.<) (
              pg_catalog.clock_timestamp()
              OPERATOR(pg_catalog.-) pg_catalog.current_setting('multica.runtime_ttl')::pg_catalog.interval
          )
          AND NOT EXISTS (SELECT FROM @extschema@.agent AS a WHERE a.runtime_id OPERATOR(pg_catalog.=) r.id)
    ) AS left_over;
    FOR pass IN 0 .. passes LOOP
        SELECT s.more INTO again FROM @extschema@.multica_sweep(stale_secs) AS s;
        COMMIT;
        EXIT WHEN NOT again;
    END LOOP;
END
$procedure$;

COMMENT ON FUNCTION @extschema@.multica_install(boolean) IS
$$Creates the tables that are missing in the extension's schema and adopts those that are there. Run it after
CREATE EXTENSION and after every ALTER EXTENSION UPDATE; a second run changes nothing. To an adopted table it
adds at most the columns of the server's migration 055, the pending slot's index and indexes named multica_*. It
never drops or rewrites data.
dry_run: true changes nothing and lists what would be done.
Returns one multica_install_step an object.
Errors: 22004 dry_run is NULL; 55000 a table of that name is not Multica's, a column has another type, an index
  of that name is another one, or library and SQL objects are of different versions; 0A000 the schema is of a
  generation that this version does not understand, or the database is not in UTF8; 42501 the caller does not own the tables, they belong to
  several roles, or a privilege is missing; 55P03 a lock was not to be had within lock_timeout (5 s unless set).
  Then nothing was changed.
It stands beside the server's own migrations, up to 055.$$;

COMMENT ON FUNCTION @extschema@.multica_record_legacy_daemon_id(uuid, text) IS
$$Remembers an earlier identity of a runtime, for whoever asks later where a machine came from. The first one
stays.
runtime_id: the runtime.
legacy_daemon_id: the earlier identity.
Returns true where it was recorded, false where an earlier one was there.
Errors: 22004 an argument is NULL; 22023 legacy_daemon_id is blank; P0002 no such runtime; 55000 the tables are
  missing; 42501 no privilege on them.
Carries out RecordRuntimeLegacyDaemonID.$$;

COMMENT ON TYPE @extschema@.multica_event IS
$$An event of the outbox: id (ascending in the order in which events can be read), created_at, type (task:failed,
task:queued, issue:updated, agent:status, autopilot:run_done, daemon:register and others), workspace_id (NULL where none
could be told), payload (an object; ignore keys you do not know).$$;

COMMENT ON TYPE @extschema@.multica_status_report IS
$$How things stand in this database: preloaded (the server preloads the library), sweep (what ALTER DATABASE says:
whether the worker sweeps it), stale_after and offline_grace (in effect), launcher_pid; last_sweep_at; last_sweep_ms
and the last_ counters of the last sweep that did something; last_error and last_error_at of the worker; refused_ids
(rows passed over because they cannot be written); runtimes and tasks by status, tasks_unclaimable (queued for a
runtime that is offline, an archived agent, or across workspaces), oldest_queued_secs in seconds; events_kept (an
estimate), events_held (not readable yet because of a transaction open since events_held_since), slowest_reader and
how many events it is behind; total_sweeps (sweeps that did something) and the other total_ counters, all that sweeps
did since totals_since (NULL between an update of the extension and the multica_install after it).$$;

COMMENT ON TYPE @extschema@.multica_reader IS
$$A named reader of the outbox: reader (its name), last_id (the last event it has taken), behind (events after that
one, an estimate), created_at, taken_at (when it last took any).$$;

COMMENT ON FUNCTION @extschema@.multica_list_readers() IS
$$The named readers, the one that is furthest behind first: events are kept for each of them until it has taken them or
is forgotten.
It takes no arguments.
Returns one multica_reader a reader.
Errors: 55000 the tables are missing; 42501 no privilege on them.
The server has nothing like it: its events are gone once they are sent.$$;

COMMENT ON FUNCTION @extschema@.multica_list_pending_tasks(uuid) IS
$$What waits on a runtime, or was handed to it and not started, newest first.
runtime_id: the runtime; one that does not exist has no tasks.
Returns one multica_task a task.
Errors: 22004 runtime_id is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's ListPendingTasksByRuntime.$$;

-- What is new belongs to whoever the extension belongs to, and may be called by those who were given what goes with it.
DO $rights$
DECLARE
    owner text;
    holder record;
BEGIN
    SELECT e.extowner::pg_catalog.regrole::pg_catalog.text INTO owner
    FROM pg_catalog.pg_extension AS e
    WHERE e.extname OPERATOR(pg_catalog.=) 'multica';
    EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO %s', '@extschema@.multica_reader', owner);
    EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %s', '@extschema@.multica_list_readers()', owner);
    REVOKE ALL ON FUNCTION @extschema@.multica_list_readers() FROM PUBLIC;
    FOR holder IN
        SELECT a.grantee::pg_catalog.regrole::pg_catalog.text AS name, a.is_grantable
        FROM pg_catalog.pg_proc AS p
        CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS a
        WHERE p.oid OPERATOR(pg_catalog.=) '@extschema@.multica_forget_reader(text)'::pg_catalog.regprocedure
            AND a.privilege_type OPERATOR(pg_catalog.=) 'EXECUTE'
            AND a.grantee OPERATOR(pg_catalog.<>) p.proowner
            AND a.grantee OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
    LOOP
        EXECUTE pg_catalog.format(
            'GRANT EXECUTE ON FUNCTION %s TO %s%s', '@extschema@.multica_list_readers()', holder.name,
            CASE WHEN holder.is_grantable THEN ' WITH GRANT OPTION' END
        );
    END LOOP;
END
$rights$;

-- An index of everything active: to a planner whose statistics are older than a long queue it looks smaller than one lookup.
-- Nothing reads by it any more.
DROP INDEX IF EXISTS @extschema@.multica_task_active_agent;
