-- 0.4.0. Afterwards run SELECT * FROM multica_install().

-- A server that still runs the library of 0.3.0 does not have this symbol: the update is refused and changes nothing.
DO $library$
BEGIN
    CREATE FUNCTION @extschema@.multica_is_0_4_0_or_later() RETURNS void
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_is_0_4_0_or_later_wrapper';
    DROP FUNCTION @extschema@.multica_is_0_4_0_or_later();
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION 'the loaded library of multica is older than version 0.4.0'
    USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Install the newer package, restart the server if it preloads multica, reconnect, then run '
            'ALTER EXTENSION multica UPDATE; again.';
END
$library$;

-- Replaces a function by one with other arguments, which gets the owner and the privileges of the former one. It is dropped after
-- its last use.
CREATE FUNCTION @extschema@.multica_replace_function(former pg_catalog.regprocedure, definition pg_catalog.text) RETURNS void
SET search_path TO pg_catalog, pg_temp
LANGUAGE plpgsql
AS $replace$
DECLARE
    replaced pg_catalog.pg_proc%ROWTYPE;
    users pg_catalog.text;
    made pg_catalog.regprocedure;
    initial pg_catalog.aclitem[];
    holder pg_catalog.record;
BEGIN
    SELECT pg_catalog.string_agg(DISTINCT u.name, ', ') INTO users
    FROM (
        -- The rule of a view is dropped with the view, and any other rule by itself.
        SELECT CASE
            WHEN w.rulename OPERATOR(pg_catalog.=) '_RETURN'::pg_catalog.name
            THEN pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class, 0)
            ELSE pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
        END AS name
        FROM pg_catalog.pg_depend AS d
        LEFT JOIN pg_catalog.pg_rewrite AS w
            ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
            AND w.oid OPERATOR(pg_catalog.=) d.objid
        WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            AND d.refobjid OPERATOR(pg_catalog.=) former
            AND d.deptype OPERATOR(pg_catalog.=) 'n'
    ) AS u;
    IF users IS NOT NULL THEN
        RAISE EXCEPTION 'the update gives % other arguments, and cannot replace it while other objects use it', former
        USING ERRCODE = 'dependent_objects_still_exist',
            DETAIL = pg_catalog.format('It is used by: %s.', users),
            HINT = pg_catalog.format(
                'Drop %s, run ALTER EXTENSION multica UPDATE; again, then create what you have dropped.', users
            );
    END IF;
    SELECT p.* INTO STRICT replaced FROM pg_catalog.pg_proc AS p WHERE p.oid OPERATOR(pg_catalog.=) former;
    EXECUTE pg_catalog.format('DROP FUNCTION %s', former);
    EXECUTE definition;
    SELECT p.oid INTO STRICT made
    FROM pg_catalog.pg_proc AS p
    WHERE p.proname OPERATOR(pg_catalog.=) replaced.proname AND p.pronamespace OPERATOR(pg_catalog.=) replaced.pronamespace;
    EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %s', made, replaced.proowner::pg_catalog.regrole);
    EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
    SELECT i.initprivs INTO initial
    FROM pg_catalog.pg_init_privs AS i
    WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass AND i.objoid OPERATOR(pg_catalog.=) made;
    FOR holder IN
        SELECT
            CASE a.grantee WHEN 0::pg_catalog.oid THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END AS name,
            a.is_grantable
        FROM pg_catalog.aclexplode(replaced.proacl) AS a
        WHERE a.grantee OPERATOR(pg_catalog.<>) replaced.proowner
    LOOP
        EXECUTE pg_catalog.format(
            'GRANT EXECUTE ON FUNCTION %s TO %s%s', made, holder.name,
            CASE WHEN holder.is_grantable THEN ' WITH GRANT OPTION' END
        );
    END LOOP;
    -- A dump contains only the privileges that differ from those that scripts have granted. These were granted by a user.
    UPDATE pg_catalog.pg_init_privs AS i
    SET initprivs = initial
    WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass AND i.objoid OPERATOR(pg_catalog.=) made;
END
$replace$;

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_upsert_runtime(uuid, text, text, text, text, text, text, jsonb, uuid)',
    $function$
    CREATE FUNCTION @extschema@.multica_upsert_runtime(
        workspace_id uuid, daemon_id text, name text, runtime_mode text, provider text, status text,
        device_info text DEFAULT '', metadata jsonb DEFAULT '{}', owner_id uuid DEFAULT NULL, profile_id uuid DEFAULT NULL
    ) RETURNS @extschema@.multica_registered
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_upsert_runtime_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_set_runtime_offline(uuid)',
    $function$
    CREATE FUNCTION @extschema@.multica_set_runtime_offline(runtime_id uuid, reason jsonb DEFAULT NULL) RETURNS boolean
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_set_runtime_offline_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_deregister(uuid[])',
    $function$
    CREATE FUNCTION @extschema@.multica_deregister(runtime_ids uuid[], reason jsonb DEFAULT NULL) RETURNS bigint
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_deregister_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_install(boolean)',
    $function$
    CREATE FUNCTION @extschema@.multica_install(dry_run boolean DEFAULT false, build boolean DEFAULT false)
    RETURNS SETOF @extschema@.multica_install_step
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_install_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_heartbeat(uuid, uuid[])',
    $function$
    CREATE FUNCTION @extschema@.multica_heartbeat(
        runtime_id uuid, running_task_ids uuid[] DEFAULT NULL, incarnation uuid DEFAULT NULL
    ) RETURNS @extschema@.multica_beat
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_heartbeat_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_claim(uuid, integer)',
    $function$
    CREATE FUNCTION @extschema@.multica_claim(runtime_id uuid, max_tasks integer DEFAULT 1, incarnation uuid DEFAULT NULL)
    RETURNS SETOF @extschema@.multica_claimed
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_claim_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_recover_orphans(uuid, uuid[])',
    $function$
    CREATE FUNCTION @extschema@.multica_recover_orphans(
        runtime_id uuid, running_task_ids uuid[] DEFAULT NULL, incarnation uuid DEFAULT NULL
    ) RETURNS @extschema@.multica_recovered
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_recover_orphans_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_delete_runtime(uuid)',
    $function$
    CREATE FUNCTION @extschema@.multica_delete_runtime(
        runtime_id uuid, expected_agents uuid[] DEFAULT NULL, into_runtime_id uuid DEFAULT NULL
    ) RETURNS @extschema@.multica_runtime_deleted
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_delete_runtime_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_events(bigint, integer)',
    $function$
    CREATE FUNCTION @extschema@.multica_events(after_id bigint DEFAULT 0, max_events integer DEFAULT 1000, workspace_id uuid DEFAULT NULL)
    RETURNS SETOF @extschema@.multica_event
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_events_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_take_events(text, integer)',
    $function$
    CREATE FUNCTION @extschema@.multica_take_events(reader text, max_events integer DEFAULT 1000, workspace_id uuid DEFAULT NULL)
    RETURNS SETOF @extschema@.multica_event
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_take_events_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_complete(uuid, jsonb, text, text, bigint)',
    $function$
    CREATE FUNCTION @extschema@.multica_complete(
        task_id uuid, result jsonb DEFAULT NULL, session_id text DEFAULT NULL, work_dir text DEFAULT NULL,
        claim_token bigint DEFAULT NULL, extra jsonb DEFAULT NULL, issue_status text DEFAULT NULL
    ) RETURNS @extschema@.multica_transition
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_complete_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_fail(uuid, text, text, text, text, bigint)',
    $function$
    CREATE FUNCTION @extschema@.multica_fail(
        task_id uuid, error text, failure_reason text DEFAULT NULL, session_id text DEFAULT NULL, work_dir text DEFAULT NULL,
        claim_token bigint DEFAULT NULL, extra jsonb DEFAULT NULL
    ) RETURNS @extschema@.multica_transition
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_fail_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_pin_session(uuid, text, text, bigint)',
    $function$
    CREATE FUNCTION @extschema@.multica_pin_session(
        task_id uuid, session_id text DEFAULT NULL, work_dir text DEFAULT NULL, claim_token bigint DEFAULT NULL,
        extra jsonb DEFAULT NULL
    ) RETURNS boolean
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_pin_session_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_cancel(uuid)',
    $function$
    CREATE FUNCTION @extschema@.multica_cancel(task_id uuid, error text DEFAULT NULL, failure_reason text DEFAULT NULL)
    RETURNS @extschema@.multica_transition
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_cancel_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_enqueue(uuid, jsonb, integer, integer)',
    $function$
    CREATE FUNCTION @extschema@.multica_enqueue(
        agent_id uuid, context jsonb DEFAULT '{}', priority integer DEFAULT 0, max_attempts integer DEFAULT 2,
        provenance jsonb DEFAULT NULL, run_after timestamp with time zone DEFAULT NULL
    )
    RETURNS @extschema@.multica_enqueued
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_enqueue_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_enqueue_issue(uuid, uuid, integer, integer, jsonb)',
    $function$
    CREATE FUNCTION @extschema@.multica_enqueue_issue(
        issue_id uuid, trigger_comment_id uuid DEFAULT NULL, priority integer DEFAULT NULL,
        max_attempts integer DEFAULT NULL, context jsonb DEFAULT NULL, provenance jsonb DEFAULT NULL,
        run_after timestamp with time zone DEFAULT NULL, escalation_for_task_id uuid DEFAULT NULL
    )
    RETURNS @extschema@.multica_enqueued
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_enqueue_issue_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_enqueue_mention(uuid, uuid, uuid, integer, integer, jsonb)',
    $function$
    CREATE FUNCTION @extschema@.multica_enqueue_mention(
        issue_id uuid, agent_id uuid, trigger_comment_id uuid DEFAULT NULL, priority integer DEFAULT NULL,
        max_attempts integer DEFAULT NULL, context jsonb DEFAULT NULL, provenance jsonb DEFAULT NULL,
        run_after timestamp with time zone DEFAULT NULL, escalation_for_task_id uuid DEFAULT NULL
    )
    RETURNS @extschema@.multica_enqueued
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_enqueue_mention_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_enqueue_chat(uuid, uuid, integer, integer, jsonb)',
    $function$
    CREATE FUNCTION @extschema@.multica_enqueue_chat(
        chat_session_id uuid, trigger_comment_id uuid DEFAULT NULL, priority integer DEFAULT NULL,
        max_attempts integer DEFAULT NULL, context jsonb DEFAULT NULL, provenance jsonb DEFAULT NULL,
        run_after timestamp with time zone DEFAULT NULL, owns_input boolean DEFAULT NULL
    )
    RETURNS @extschema@.multica_enqueued
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_enqueue_chat_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_enqueue_autopilot(uuid, uuid, integer, integer, jsonb)',
    $function$
    CREATE FUNCTION @extschema@.multica_enqueue_autopilot(
        autopilot_run_id uuid, trigger_comment_id uuid DEFAULT NULL, priority integer DEFAULT NULL,
        max_attempts integer DEFAULT NULL, context jsonb DEFAULT NULL, provenance jsonb DEFAULT NULL,
        run_after timestamp with time zone DEFAULT NULL
    )
    RETURNS @extschema@.multica_enqueued
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_enqueue_autopilot_since_0_4_wrapper'
    $function$
);

SELECT @extschema@.multica_replace_function(
    '@extschema@.multica_rerun(uuid, uuid)',
    $function$
    CREATE FUNCTION @extschema@.multica_rerun(
        issue_id uuid, trigger_comment_id uuid DEFAULT NULL, provenance jsonb DEFAULT NULL
    )
    RETURNS @extschema@.multica_task
    SET search_path TO @extschema@, pg_temp
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_rerun_since_0_4_wrapper'
    $function$
);

DROP FUNCTION @extschema@.multica_replace_function(pg_catalog.regprocedure, pg_catalog.text);

ALTER TYPE @extschema@.multica_runtime
    ADD ATTRIBUTE visibility text,
    ADD ATTRIBUTE profile_id uuid,
    ADD ATTRIBUTE custom_name text;

ALTER TYPE @extschema@.multica_registered
    ADD ATTRIBUTE visibility text,
    ADD ATTRIBUTE profile_id uuid,
    ADD ATTRIBUTE custom_name text;

ALTER TYPE @extschema@.multica_beat
    ADD ATTRIBUTE visibility text,
    ADD ATTRIBUTE profile_id uuid,
    ADD ATTRIBUTE custom_name text,
    ADD ATTRIBUTE resume_task_ids uuid[];

ALTER TYPE @extschema@.multica_enqueued
    ADD ATTRIBUTE outcome text;

ALTER TYPE @extschema@.multica_runtime_deleted
    ADD ATTRIBUTE agents_unbound bigint,
    ADD ATTRIBUTE autopilots_paused bigint;

COMMENT ON TYPE @extschema@.multica_runtime IS
$$A runtime, with the columns of the table agent_runtime: one provider of one daemon, or one profile. status is 'online' or
'offline'; last_seen_at is the time of its last heartbeat (NULL: never seen); legacy_daemon_id is the first daemon id that was
merged into it; profile_id is its profile; visibility and custom_name are what users have set. An attribute is NULL where the
table has no such column.$$;

COMMENT ON TYPE @extschema@.multica_registered IS
$$The effect of a registration on one runtime: the runtime's columns as they are now, as in multica_runtime; inserted (true:
the runtime is new, false: an existing row was overwritten); merged (number of runtimes of earlier daemon ids that were merged
into it); not_merged (number of such runtimes that were kept because something refers to them or prevents writing them; a
WARNING names each).$$;

COMMENT ON TYPE @extschema@.multica_beat IS
$$The answer to a heartbeat: the runtime's columns as they are now, as in multica_runtime; stop_task_ids (of the tasks that the
daemon reported as running, those that are no longer in flight on this runtime, in the reported order; NULL if the daemon
reported nothing); resume_task_ids (those of them with which the daemon can go on: multica_resume works for them).$$;

COMMENT ON TYPE @extschema@.multica_enqueued IS
$$The effect of an enqueue: task_id (the task that does the work); created (true: it is a new task); outcome: 'queued',
'deferred' (until run_after), 'planned' (deferred until the claimed task of the same issue and agent has started), 'merged' (the
comment has joined a task that waits) or 'pending' (that task was already there).$$;

COMMENT ON TYPE @extschema@.multica_runtime_deleted IS
$$The effect of deleting a runtime: agents_deleted (its archived agents where every agent has a runtime, and its system agents);
tasks_deleted (tasks that were deleted with them); tasks_kept (tasks that moved to another runtime or have no runtime now);
agents_unbound (agents that have no runtime now); autopilots_paused (autopilots that were paused because of that).$$;

COMMENT ON FUNCTION @extschema@.multica_upsert_runtime(uuid, text, text, text, text, text, text, jsonb, uuid, uuid) IS
$$Inserts a runtime, or overwrites the one with the same workspace, daemon id and provider; with a profile, the one with the
same workspace, daemon id and profile. The runtime counts as seen now. A daemon that registers all its runtimes at once calls
multica_register instead.
workspace_id: id of the workspace.
daemon_id: id of the daemon, not blank, at most 1000 bytes; NULL only if runtime_mode is 'cloud', and then a new row is
  inserted each time.
name: name that people read.
runtime_mode: 'local' or 'cloud'.
provider: name of the provider, such as 'claude', not blank, at most 1000 bytes; with a profile, its provider is stored instead.
status: 'online' or 'offline'.
device_info: any text (default '').
metadata: an object that replaces the present one as a whole (default {}).
owner_id: id of the user that it belongs to; NULL (the default) keeps the present owner.
profile_id: id of the profile that it belongs to; NULL (the default) means none.
Returns multica_registered; merged is 0. Records daemon:register with action 'register'. Visibility and name that users have
  set are kept, and a new runtime gets the name that all other runtimes of the daemon have in common.
Errors: 22004 a required argument is NULL, device_info and metadata included; 22023 runtime_mode or status is not one of its
  values, or provider or daemon_id is blank or too long; P0002 (no_workspace, no_profile) the workspace does not exist, or
  has no such profile; 55000 (profile_disabled) the profile is disabled; 0A000 (no_profiles) profile_id is not NULL, and the
  database has no profiles; 23503 the owner does not exist; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
Implements UpsertAgentRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_heartbeat(uuid, uuid[], uuid) IS
$$Records a heartbeat of one runtime: it is online and was seen now, whatever its status was. Call it about every 15 s, well
within multica.stale_after.
runtime_id: id of the runtime.
running_task_ids: ids of all tasks that the daemon works on, those that wait for a directory included; NULL (the default)
  reports nothing about them. A task that two lists in a row do not name is lost: a sweep fails it after multica.lost_after.
  An empty array names none of them.
incarnation: the uuid that the process passed to multica_register; NULL (the default) is not checked.
Returns multica_beat; the daemon should stop the agents of the tasks in stop_task_ids, or call multica_resume for those that
  are in resume_task_ids too: silence has failed them, and their runs can go on. A runtime that was offline is announced by daemon:register with action 'online'; an ordinary heartbeat records no event. If an index contains
  last_seen_at and multica.stale_after is at least 30 s, nothing is written while the runtime is online and was seen within a
  fifth of that time.
Errors: 22004 runtime_id or an element of running_task_ids is NULL; P0002 (no_runtime) the runtime does not exist: register
  again; 55000 (superseded) another process has registered the runtime: stop; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements UpdateAgentRuntimeHeartbeat.$$;

COMMENT ON FUNCTION @extschema@.multica_heartbeat_many(uuid[]) IS
$$Records heartbeats of many runtimes in one statement: those of one daemon, or those that a server has collected.
runtime_ids: ids of the runtimes; unknown ones are ignored, a repeated one counts once, an empty array is allowed.
Returns the number of runtimes that exist and were written, or need not be written, as for multica_heartbeat. Those that were
  offline are announced as by multica_heartbeat.
  A runtime that a trigger or constraint of your own refuses is named in a WARNING and not counted; the others are written.
  It does not check which process has registered the runtimes, and says nothing about their tasks.
Errors: 22004 the array or an element is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the
  tables is missing.
Implements UpdateAgentRuntimeHeartbeat, for many runtimes.$$;

COMMENT ON FUNCTION @extschema@.multica_set_runtime_offline(uuid, jsonb) IS
$$Sets one runtime offline. last_seen_at does not change, and its tasks in flight are left to the next sweep.
runtime_id: id of the runtime.
reason: an object that is stored in the metadata as offline_reason, also if the runtime was offline; it stays there until the
  runtime is registered again. NULL (the default) stores nothing.
Returns true if it was online, false if it was already offline. Records daemon:register with action 'deregister' if
  something was written.
Errors: 22004 runtime_id is NULL; 22023 reason is not an object; P0002 (no_runtime) the runtime does not exist;
  55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements SetAgentRuntimeOffline.$$;

COMMENT ON FUNCTION @extschema@.multica_deregister(uuid[], jsonb) IS
$$Sets the runtimes of a daemon offline before it exits, at once instead of after multica.stale_after. Their tasks in flight
are left to the next sweep.
runtime_ids: ids of the runtimes; unknown ones are ignored, an empty array is allowed.
reason: an object, as for multica_set_runtime_offline; NULL (the default) stores nothing.
Returns the number of runtimes that were online until now. Records one daemon:register with action 'deregister' per
  workspace. A runtime that a trigger or constraint of your own refuses is named in a WARNING and stays online; the others
  go offline.
Errors: 22004 the array or an element is NULL; 22023 reason is not an object; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements SetAgentRuntimeOffline, for many runtimes.$$;

COMMENT ON FUNCTION @extschema@.multica_events(bigint, integer, uuid) IS
$$Returns the events after a given one, in order, for readers that want all events and store their own position. It stops
before an event that an open transaction could still precede, so a reader that continues from the last returned id skips
nothing.
after_id: id of the last event that was read (default 0); 0 means from the beginning, as long as no event was trimmed. A
  reader that begins later begins after multica_sweep_state.events_trimmed_to.
max_events: maximum number of events, at least 1 (default 1000).
workspace_id: id of a workspace: only its events are returned; NULL (the default) means all events. For a workspace without
  events no row is returned.
Returns one multica_event per event, in ascending order.
Errors: 22004 after_id or max_events is NULL; 22023 after_id is below 0, or max_events is below 1; 55000 (events_trimmed) events after
  after_id have been trimmed; 55000 (log_restarted) the event log has restarted since after_id; 55000 (log_replicated) a
  subscription writes into the event log; 55000 (wrong_isolation) the isolation level of the transaction is above READ
  COMMITTED; 55000 (on_standby) the server is a standby; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
Replaces the server's in-process event bus.$$;

COMMENT ON FUNCTION @extschema@.multica_take_events(text, integer, uuid) IS
$$Returns the next events of a named reader and moves its position in the caller's transaction. What the same transaction
writes happens exactly once; after a rollback the same events are returned again. Two sessions that use the same reader
take turns.
reader: name of the reader, not blank, at most 1000 bytes; a new reader begins with the oldest event that is kept.
max_events: maximum number of events, at least 1 (default 1000).
workspace_id: id of a workspace: only its events are returned, and the position moves past those of all others too, so that
  this reader never gets them; NULL (the default) means all events.
Returns one multica_event per event, in ascending order.
Errors: 22004 reader or max_events is NULL; 22023 reader is blank or too long, or max_events is below 1; 55000 (events_trimmed)
  events that the reader had not taken have been trimmed; 55000 (log_restarted) the event log has restarted since the
  reader took events; 55000 (log_replicated) a subscription writes into the event log; 55000 (try_again) another session
  forgot the reader at the same time; 55000 (wrong_isolation) the isolation level of the transaction is above READ
  COMMITTED; 55000 (on_standby) the server is a standby; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
Replaces the server's in-process event bus.$$;

CREATE PROCEDURE @extschema@.multica_install_all(build boolean DEFAULT false)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    is_left pg_catalog.bool;
BEGIN
    FOR nth IN 1 .. 10 LOOP
        SELECT pg_catalog.bool_or(s.action OPERATOR(pg_catalog.=) 'next'::pg_catalog.text) INTO is_left
        FROM @extschema@.multica_install(false, build) AS s;
        IF NOT @extschema@.multica_can_commit() THEN
            RAISE EXCEPTION 'multica_install_all cannot commit inside a transaction block or a function'
            USING ERRCODE = 'invalid_transaction_termination',
                HINT = 'CALL it outside a transaction, with autocommit on in drivers that open transactions, or run '
                    'SELECT * FROM multica_install() until no row has the action next.';
        END IF;
        COMMIT;
        EXIT WHEN NOT is_left;
    END LOOP;
END
$procedure$;

CREATE FUNCTION @extschema@.multica_revoke(grantee regrole, capability text) RETURNS void
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_revoke_wrapper';

CREATE TYPE @extschema@.multica_retry_rule AS (
    reason text, is_retried boolean, max_attempts integer, delay_secs double precision, delay_from_attempt integer,
    backoff_factor double precision, jitter double precision, keeps_session boolean, waits_for_runtime boolean,
    unsafe_to_resume boolean, is_changed boolean
);

CREATE FUNCTION @extschema@.multica_retry_policy_in_force() RETURNS SETOF @extschema@.multica_retry_rule
STABLE STRICT
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_retry_policy_in_force_wrapper';

CREATE FUNCTION @extschema@.multica_count_sweep_parts() RETURNS bigint
STABLE STRICT
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_count_sweep_parts_wrapper';

CREATE FUNCTION @extschema@.multica_claim_many(runtime_ids uuid[], max_tasks integer DEFAULT 1, incarnation uuid DEFAULT NULL)
RETURNS SETOF @extschema@.multica_claimed
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_claim_many_wrapper';

CREATE FUNCTION @extschema@.multica_limit(scope text, key text, max_in_flight integer DEFAULT NULL) RETURNS boolean
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_limit_wrapper';

CREATE FUNCTION @extschema@.multica_wait(task_id uuid, reason text DEFAULT NULL, claim_token bigint DEFAULT NULL)
RETURNS @extschema@.multica_transition
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_wait_wrapper';

CREATE FUNCTION @extschema@.multica_extend_lease(task_id uuid, claim_token bigint DEFAULT NULL)
RETURNS @extschema@.multica_transition
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_extend_lease_wrapper';

CREATE FUNCTION @extschema@.multica_requeue(task_id uuid, claim_token bigint DEFAULT NULL)
RETURNS @extschema@.multica_transition
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_requeue_wrapper';

CREATE FUNCTION @extschema@.multica_complete_raw(
    task_id uuid, result bytea DEFAULT NULL, session_id text DEFAULT NULL, work_dir text DEFAULT NULL,
    claim_token bigint DEFAULT NULL, extra bytea DEFAULT NULL, issue_status text DEFAULT NULL
) RETURNS @extschema@.multica_transition
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_complete_raw_wrapper';

CREATE FUNCTION @extschema@.multica_fail_raw(
    task_id uuid, error bytea, failure_reason text DEFAULT NULL, session_id text DEFAULT NULL, work_dir text DEFAULT NULL,
    claim_token bigint DEFAULT NULL, extra bytea DEFAULT NULL
) RETURNS @extschema@.multica_transition
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_fail_raw_wrapper';

CREATE FUNCTION @extschema@.multica_clean(data bytea) RETURNS jsonb
IMMUTABLE PARALLEL SAFE
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_clean_wrapper';

CREATE FUNCTION @extschema@.multica_classify_failure(error text, failure_reason text DEFAULT NULL) RETURNS text
IMMUTABLE PARALLEL SAFE
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_classify_failure_wrapper';

CREATE FUNCTION @extschema@.multica_cancel_comment_tasks(comment_id uuid) RETURNS SETOF @extschema@.multica_task
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_cancel_comment_tasks_wrapper';

CREATE FUNCTION @extschema@.multica_cancel_chat_tasks(chat_session_id uuid) RETURNS SETOF @extschema@.multica_task
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_cancel_chat_tasks_wrapper';

CREATE FUNCTION @extschema@.multica_cancel_runtime_tasks(runtime_id uuid) RETURNS SETOF @extschema@.multica_task
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_cancel_runtime_tasks_wrapper';

CREATE FUNCTION @extschema@.multica_rerun_task(
    task_id uuid, trigger_comment_id uuid DEFAULT NULL, provenance jsonb DEFAULT NULL
) RETURNS @extschema@.multica_task
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_rerun_task_wrapper';

CREATE FUNCTION @extschema@.multica_resume(task_id uuid, claim_token bigint) RETURNS @extschema@.multica_claimed
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_resume_wrapper';

CREATE FUNCTION @extschema@.multica_progress(
    task_id uuid, claim_token bigint DEFAULT NULL, progress jsonb DEFAULT NULL
) RETURNS @extschema@.multica_transition
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_progress_wrapper';

-- New functions and procedures belong to the owner of the extension. Who may call the function in the second column may call the new
-- one too.
DO $rights$
DECLARE
    owner text;
    called text;
    model text;
    holder record;
BEGIN
    SELECT e.extowner::pg_catalog.regrole::pg_catalog.text INTO owner
    FROM pg_catalog.pg_extension AS e
    WHERE e.extname OPERATOR(pg_catalog.=) 'multica';
    EXECUTE pg_catalog.format('ALTER TYPE @extschema@.multica_retry_rule OWNER TO %s', owner);
    FOR called, model IN VALUES
        ('FUNCTION @extschema@.multica_revoke(regrole, text)', '@extschema@.multica_sweep_all(double precision)'),
        ('FUNCTION @extschema@.multica_count_sweep_parts()', '@extschema@.multica_sweep_all(double precision)'),
        ('FUNCTION @extschema@.multica_limit(text, text, integer)', '@extschema@.multica_sweep_all(double precision)'),
        ('FUNCTION @extschema@.multica_rerun_task(uuid, uuid, jsonb)', '@extschema@.multica_sweep_all(double precision)'),
        ('PROCEDURE @extschema@.multica_install_all(boolean)', '@extschema@.multica_sweep_all(double precision)'),
        ('FUNCTION @extschema@.multica_cancel_comment_tasks(uuid)', '@extschema@.multica_sweep_all(double precision)'),
        ('FUNCTION @extschema@.multica_cancel_chat_tasks(uuid)', '@extschema@.multica_sweep_all(double precision)'),
        ('FUNCTION @extschema@.multica_cancel_runtime_tasks(uuid)', '@extschema@.multica_sweep_all(double precision)'),
        ('FUNCTION @extschema@.multica_retry_policy_in_force()', '@extschema@.multica_list_readers()'),
        ('FUNCTION @extschema@.multica_claim_many(uuid[], integer, uuid)', '@extschema@.multica_claim(uuid, integer, uuid)'),
        ('FUNCTION @extschema@.multica_wait(uuid, text, bigint)', '@extschema@.multica_start(uuid, bigint)'),
        ('FUNCTION @extschema@.multica_resume(uuid, bigint)', '@extschema@.multica_start(uuid, bigint)'),
        ('FUNCTION @extschema@.multica_progress(uuid, bigint, jsonb)', '@extschema@.multica_start(uuid, bigint)'),
        ('FUNCTION @extschema@.multica_extend_lease(uuid, bigint)', '@extschema@.multica_start(uuid, bigint)'),
        ('FUNCTION @extschema@.multica_requeue(uuid, bigint)', '@extschema@.multica_start(uuid, bigint)'),
        (
            'FUNCTION @extschema@.multica_complete_raw(uuid, bytea, text, text, bigint, bytea, text)',
            '@extschema@.multica_start(uuid, bigint)'
        ),
        (
            'FUNCTION @extschema@.multica_fail_raw(uuid, bytea, text, text, text, bigint, bytea)',
            '@extschema@.multica_start(uuid, bigint)'
        ),
        ('FUNCTION @extschema@.multica_clean(bytea)', '@extschema@.multica_start(uuid, bigint)'),
        ('FUNCTION @extschema@.multica_classify_failure(text, text)', '@extschema@.multica_start(uuid, bigint)')
    LOOP
        EXECUTE pg_catalog.format('ALTER %s OWNER TO %s', called, owner);
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', called);
        FOR holder IN
            SELECT a.grantee::pg_catalog.regrole::pg_catalog.text AS name, a.is_grantable
            FROM pg_catalog.pg_proc AS p
            CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS a
            WHERE p.oid OPERATOR(pg_catalog.=) model::pg_catalog.regprocedure
                AND a.privilege_type OPERATOR(pg_catalog.=) 'EXECUTE'
                AND a.grantee OPERATOR(pg_catalog.<>) p.proowner
                AND a.grantee OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
        LOOP
            EXECUTE pg_catalog.format(
                'GRANT EXECUTE ON %s TO %s%s', called, holder.name,
                CASE WHEN holder.is_grantable THEN ' WITH GRANT OPTION' END
            );
        END LOOP;
    END LOOP;
END
$rights$;

COMMENT ON FUNCTION multica_install(boolean, boolean) IS
$$Creates the tables that are missing in the extension's schema and adopts those that exist. Run it after CREATE EXTENSION
and after every ALTER EXTENSION UPDATE, again and again while its last row has the action next; after that, a call changes
nothing. It adopts the tables of a server from migration 055 on. To an adopted table it adds at most the columns of migration
055 where they are missing, the index of the pending slot and indexes and a trigger named multica_*. Tables that an earlier
version created get the columns, checks and indexes of this version; former indexes are dropped when the new ones are there.
It never drops or rewrites data.
A call that alters a table of more than 10,000 rows scans no table and builds no index; the next call does. It takes all
locks at once, and waits for none in the way of other sessions.
What it made itself (defaults, comments, triggers and their functions, privileges) is made again where it is missing or
different. In tables that it created, it also moves issue counters that are behind. An event log whose ids cannot continue
restarts.
dry_run: true changes nothing and lists what would be done (default false).
build: true also builds indexes of tables with more than multica.build_limit rows, to which no other session can write
  meanwhile (default false: they are listed as missing, with a CREATE INDEX CONCURRENTLY).
Returns one multica_install_step per object. The action is created, adopted, altered, dropped, missing (an object that the
owner may add), reported (a finding that the owner should repair), or next (in the last row: run multica_install() again).
Errors: 22004 an argument is NULL; 55000 (table_conflict) a table of that name does not belong to Multica, a column has another
  type, or an index of that name is a different one; 55000 (schema_renamed) the extension's schema was renamed;
  55000 (update_needed) library and SQL objects have different versions; 0A000 (unknown_schema) the
  runtimes have a unique key that no generation of the server has; 0A000 (wrong_encoding) the encoding of the database is not UTF8; 42501 the
  caller does not own the tables, they belong to several roles, or a privilege is missing; 55P03 the locks could not be
  acquired within lock_timeout (5 s unless set). After an error nothing has changed.
It complements the server's own migrations.$$;

COMMENT ON PROCEDURE multica_install_all(boolean) IS
$$Runs multica_install() until nothing is left for a next call, and commits after each call: CALL multica_install_all().
Because it commits, it cannot run inside a transaction block, in a function, or over a connection that opens transactions by
itself (psycopg: set autocommit).
build: as for multica_install.
Returns nothing; SELECT * FROM multica_install(dry_run => true) shows what is there.
Errors: 22004 build is NULL; 2D000 it was called inside a transaction block; 42501 the caller does not own the tables, or a
  privilege is missing; the other errors of multica_install. Calls that were committed stay.
It complements the server's own migrations.$$;

COMMENT ON TYPE multica_install_step IS
$$One object that multica_install handled: object (its name); action (created, altered, adopted, dropped; missing: a table lacks
it and its owner may add it; reported: its owner should repair it; next: the objects are left to the next call); ddl (the
statement that was run or would be run, or that repairs it; NULL if there is none).$$;

ALTER TYPE @extschema@.multica_task
    ADD ATTRIBUTE prepare_lease_expires_at timestamptz,
    ADD ATTRIBUTE wait_reason text,
    ADD ATTRIBUTE fire_at timestamptz,
    ADD ATTRIBUTE chat_input_task_id uuid,
    ADD ATTRIBUTE retry_of_task_id uuid,
    ADD ATTRIBUTE rerun_of_task_id uuid,
    ADD ATTRIBUTE force_fresh_session boolean,
    ADD ATTRIBUTE squad_id uuid,
    ADD ATTRIBUTE is_leader_task boolean,
    ADD ATTRIBUTE originator_user_id uuid,
    ADD ATTRIBUTE accountable_user_id uuid,
    ADD ATTRIBUTE delegated_from_task_id uuid,
    ADD ATTRIBUTE coalesced_comment_ids uuid[],
    ADD ATTRIBUTE retired_session_id text,
    ADD ATTRIBUTE session_rollout_missing boolean,
    ADD ATTRIBUTE durable_work_dir text,
    ADD ATTRIBUTE branch_name text;

ALTER TYPE @extschema@.multica_claimed
    ADD ATTRIBUTE prepare_lease_expires_at timestamptz,
    ADD ATTRIBUTE wait_reason text,
    ADD ATTRIBUTE fire_at timestamptz,
    ADD ATTRIBUTE chat_input_task_id uuid,
    ADD ATTRIBUTE retry_of_task_id uuid,
    ADD ATTRIBUTE rerun_of_task_id uuid,
    ADD ATTRIBUTE force_fresh_session boolean,
    ADD ATTRIBUTE squad_id uuid,
    ADD ATTRIBUTE is_leader_task boolean,
    ADD ATTRIBUTE originator_user_id uuid,
    ADD ATTRIBUTE accountable_user_id uuid,
    ADD ATTRIBUTE delegated_from_task_id uuid,
    ADD ATTRIBUTE coalesced_comment_ids uuid[],
    ADD ATTRIBUTE retired_session_id text,
    ADD ATTRIBUTE session_rollout_missing boolean,
    ADD ATTRIBUTE durable_work_dir text,
    ADD ATTRIBUTE branch_name text;

ALTER TYPE @extschema@.multica_transition
    ADD ATTRIBUTE prepare_lease_expires_at timestamptz,
    ADD ATTRIBUTE wait_reason text,
    ADD ATTRIBUTE fire_at timestamptz,
    ADD ATTRIBUTE chat_input_task_id uuid,
    ADD ATTRIBUTE retry_of_task_id uuid,
    ADD ATTRIBUTE rerun_of_task_id uuid,
    ADD ATTRIBUTE force_fresh_session boolean,
    ADD ATTRIBUTE squad_id uuid,
    ADD ATTRIBUTE is_leader_task boolean,
    ADD ATTRIBUTE originator_user_id uuid,
    ADD ATTRIBUTE accountable_user_id uuid,
    ADD ATTRIBUTE delegated_from_task_id uuid,
    ADD ATTRIBUTE coalesced_comment_ids uuid[],
    ADD ATTRIBUTE retired_session_id text,
    ADD ATTRIBUTE session_rollout_missing boolean,
    ADD ATTRIBUTE durable_work_dir text,
    ADD ATTRIBUTE branch_name text;

ALTER TYPE @extschema@.multica_status_report
    ADD ATTRIBUTE tasks_waiting bigint,
    ADD ATTRIBUTE tasks_deferred bigint,
    ADD ATTRIBUTE features text[],
    ADD ATTRIBUTE indexes_missing text[],
    ADD ATTRIBUTE table_grants text[],
    ADD ATTRIBUTE stale_after_source text,
    ADD ATTRIBUTE offline_grace_source text,
    ADD ATTRIBUTE queued_ttl interval,
    ADD ATTRIBUTE queued_ttl_source text,
    ADD ATTRIBUTE finish_after interval,
    ADD ATTRIBUTE stages_off text[],
    ADD ATTRIBUTE verdicts_held_until timestamptz,
    ADD ATTRIBUTE verdicts_held_because text,
    ADD ATTRIBUTE lost_after interval,
    ADD ATTRIBUTE idle_timeout interval;

COMMENT ON TYPE @extschema@.multica_task IS
$$A task, with columns of the table agent_task_queue: one attempt. status is queued, dispatched, running, completed, failed
or cancelled; in the tables of a newer server also waiting_local_directory or deferred. attempt counts from 1;
parent_task_id is the previous attempt; session_id and work_dir are where the agent can resume. An attribute is NULL if the
table has no such column: last_heartbeat_at, and those from prepare_lease_expires_at on.$$;

COMMENT ON TYPE @extschema@.multica_swept IS
$$The effect of one sweep: runtimes_offline (runtimes set offline); tasks_failed (tasks in flight on offline runtimes, and
tasks that their daemon has lost); tasks_timed_out (tasks that took or waited for too long, or gave no sign of life any more);
tasks_retried (retries queued for both kinds, and those that a server left undone); issues_reset (issues set back to todo);
agents_reconciled (agents whose status changed); runtimes_deleted; more (true: a stage reached multica.batch_size or the sweep
reached multica.sweep_budget; sweep again).$$;

COMMENT ON TYPE @extschema@.multica_status_report IS
$$The state of this database. preloaded: the server preloads the library. sweep: the value that ALTER DATABASE set, which
decides whether the worker sweeps it. stale_after and offline_grace: the values in effect. launcher_pid. last_sweep_at.
last_sweep_ms and the other last_ counters: the last sweep that did something. last_error and last_error_at: the last error
of the worker, or of the last row that a sweep could not write. refused_ids: runtimes and tasks that are skipped because
they cannot be written. runtimes_ and tasks_ counters: rows by status. tasks_unclaimable: tasks queued for a runtime that is
offline, for an archived agent, or across workspaces. oldest_queued_secs: age of the oldest queued task in seconds.
events_kept: number of events, an estimate. events_held: events that cannot be read yet because of a transaction that has
been open since events_held_since. slowest_reader and slowest_reader_behind: the reader that is furthest behind, and by how
many events. total_sweeps: sweeps that did something; the other total_ counters: everything that sweeps did since
totals_since (NULL before the first sweep is counted). refused_event_ids: old events that could not be deleted.
event_log_trouble: why the ids of the event log cannot continue (NULL if they can). tasks_waiting: tasks that wait for their
directory. tasks_deferred: tasks that are to be queued later. features: what the tables have that not every server's tables
have, by the names of docs/compatibility.md. indexes_missing: indexes that multica_install leaves to the owner, because their
tables are large. table_grants: roles with a capability that still have privileges on the tables which their calls do not need,
as "capability role"; multica_revoke and then multica_grant takes them away. stale_after_source, offline_grace_source and
queued_ttl_source: why these thresholds have their values. queued_ttl and finish_after: the values in effect (NULL: off).
stages_off: stages of a sweep that the settings ask for and that lack an index, with its name. verdicts_held_until: sweeps set
no runtime offline and fail no task until then, because of an outage (NULL: they do). verdicts_held_because: which outage.
lost_after and idle_timeout: the values in effect (NULL: off).$$;

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

CREATE OR REPLACE PROCEDURE @extschema@.multica_sweep_all(stale_secs double precision DEFAULT NULL)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    part pg_catalog.text;
    parts bigint;
BEGIN
    part := @extschema@.multica_sweep_part('verdicts', stale_secs);
    IF NOT @extschema@.multica_can_commit() THEN
        RAISE EXCEPTION 'multica_sweep_all cannot commit inside a transaction block or a function'
        USING ERRCODE = 'invalid_transaction_termination',
            HINT = 'CALL it outside a transaction, with autocommit on in drivers that open transactions, or run '
                'SELECT * FROM multica_sweep() until more is false.';
    END IF;
    COMMIT;
    IF part OPERATOR(pg_catalog.=) 'housekeeping'::pg_catalog.text THEN
        part := @extschema@.multica_sweep_part(part, stale_secs);
        COMMIT;
    END IF;
    IF part OPERATOR(pg_catalog.=) 'none'::pg_catalog.text THEN
        RETURN;
    END IF;
    parts := @extschema@.multica_count_sweep_parts();
    FOR nth IN 0 .. parts LOOP
        part := @extschema@.multica_sweep_part(part, stale_secs);
        COMMIT;
        EXIT WHEN part OPERATOR(pg_catalog.=) 'none'::pg_catalog.text;
    END LOOP;
END
$procedure$;

COMMENT ON FUNCTION @extschema@.multica_cancel(uuid, text, text) IS
$$Cancels one active task, also one that waits for a directory or is deferred. The agent's status, the autopilot run and the chat's
pointer follow in the same transaction. The daemon learns of it from its next heartbeat.
task_id: id of the task.
error: why, as text for people; NULL (the default) or empty means none.
failure_reason: why, as one word; NULL (the default) or empty means none.
Returns multica_transition; applied is false if the task had already ended. Records task:cancelled, autopilot:run_done,
  agent:status.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task has a status that this
  version does not know; 40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000
  (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's CancelTask.$$;

COMMENT ON FUNCTION @extschema@.multica_wait(uuid, text, bigint) IS
$$Lets a claimed task wait because its directory is in use: dispatched becomes waiting_local_directory, with a new lease. The task
keeps its place of the agent, whose status becomes idle if it has no other task. Start it with multica_start.
task_id: id of the task.
reason: text for people; NULL (the default), a blank text and an absolute path, as older daemons pass, are not stored.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is false if the holder of the current token repeats the call. Records
  task:waiting_local_directory and agent:status.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task is not dispatched;
  55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables are missing; 0A000
  (unsupported_feature) the tables have no such status; 42501 a privilege on the tables is missing.
Implements the server's MarkTaskWaitingLocalDirectory.$$;

COMMENT ON FUNCTION @extschema@.multica_extend_lease(uuid, bigint) IS
$$Extends the lease of a claimed task for multica.prepare_lease from now on. Call it about every 15 s while the daemon prepares the
task, or waits for its directory. A task with a lease is neither returned to its runtime again nor failed because it was not
started.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is true. Records no event.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task is neither
  dispatched nor waiting: give it up; 55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables
  are missing; 0A000 (unsupported_feature) the tables have no leases; 42501 a privilege on the tables is missing.
Implements the server's ExtendTaskPrepareLease.$$;

COMMENT ON FUNCTION @extschema@.multica_requeue(uuid, bigint) IS
$$Gives a claimed task back that could not be handed out, for example because the answer to its claim could not be built:
dispatched becomes queued. It uses up no attempt.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is false if the task is queued. Records task:queued and agent:status.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task has started, waits,
  is deferred or has ended; 55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's RequeueTask.$$;

COMMENT ON FUNCTION @extschema@.multica_complete_raw(uuid, bytea, text, text, bigint, bytea, text) IS
$$Completes a task with the bytes that an agent printed, as multica_complete. Postgres refuses some JSON and some text before a call
begins, and then the task would stay running.
task_id: id of the task.
result: JSON in UTF-8, cleaned as by multica_clean; NULL (the default) means none.
session_id: as for multica_complete.
work_dir: as for multica_complete.
claim_token: as for multica_complete.
extra: as for multica_complete, as JSON in UTF-8.
issue_status: as for multica_complete.
Returns multica_transition, and records events, as multica_complete does.
Errors: 22004 task_id is NULL; 22023 extra is no such object, or has another key, or issue_status is not a status of the issue's
  workspace, or the task has no issue; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task is not running;
  55000 (stale_claim) the task was claimed again since; 40001 the task fails instead, and the agent was bound to another runtime
  at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's CompleteTask.$$;

COMMENT ON FUNCTION @extschema@.multica_fail_raw(uuid, bytea, text, text, text, bigint, bytea) IS
$$Fails a task with the bytes that an agent printed, as multica_fail.
task_id: id of the task.
error: text in UTF-8; U+0000 is left out, and bytes that are not UTF-8 become U+FFFD.
failure_reason: as for multica_fail.
session_id: as for multica_fail.
work_dir: as for multica_fail.
claim_token: as for multica_fail.
extra: as for multica_complete, as JSON in UTF-8.
Returns multica_transition, and records events, as multica_fail does.
Errors: 22004 task_id or error is NULL; 22023 extra is no such object, or has another key; P0002 (no_task) the task does not
  exist; 55000 (wrong_state) the task is still queued; 55000 (stale_claim) the task was claimed again since; 40001 the agent was
  bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a
  privilege on the tables is missing.
Implements the server's FailTask.$$;

COMMENT ON FUNCTION @extschema@.multica_clean(bytea) IS
$$Returns JSON as jsonb, without what Postgres cannot store. In all strings, keys included, U+0000 is left out, and bytes that are
not UTF-8 and halves of surrogate pairs become U+FFFD. Control characters in strings are escaped.
data: JSON in UTF-8. Anything else, JSON that is nested in more than 1000 levels, and JSON with a number that jsonb cannot have,
  becomes one text.
Returns the JSON; NULL for NULL.
Errors: none.
The server has no such function.$$;

COMMENT ON FUNCTION @extschema@.multica_classify_failure(text, text) IS
$$Returns the failure_reason that multica_fail stores for an error.
error: the text of the error; NULL means empty.
failure_reason: the word that the daemon gives. If it is NULL (the default) or empty, the word is found in the error:
  agent_error.context_overflow, .missing_config, .provider_auth_or_access, .provider_quota_limit,
  .provider_capacity_or_rate_limit, .provider_server_error, .provider_network, .model_not_found_or_unavailable,
  .empty_or_unparseable_output, .agent_timeout, .runtime_missing_executable, .runtime_version_unsupported, .process_failure or
  .unknown, each after agent_error. A word that stands for several failures, such as agent_error, is replaced if the error shows
  which of them it is; any other word stays.
Returns the word.
Errors: none.
Implements the server's classification of failures.$$;

COMMENT ON FUNCTION @extschema@.multica_cancel_issue_tasks(uuid, uuid) IS
$$Cancels the active tasks of an issue. Call it before the issue is deleted; on a platform of your own also when it is
reassigned or cancelled, as you like: today's server lets the tasks go on then.
issue_id: id of the issue.
agent_id: cancels only the tasks of this agent; NULL (the default) means all agents.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 issue_id is NULL; P0002 (no_issue, no_agent) the issue or the agent does not exist; 40001 another session
  queued a turn of a chat session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's CancelAgentTasksByIssue and CancelAgentTasksByIssueAndAgent.$$;

COMMENT ON FUNCTION @extschema@.multica_cancel_agent_tasks(uuid) IS
$$Cancels the active tasks of an agent. Call it when the agent is archived.
agent_id: id of the agent.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 agent_id is NULL; P0002 (no_agent) the agent does not exist; 40001 another session queued a turn of a chat
  session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the
  tables is missing.
Implements the server's CancelAgentTasksByAgent.$$;

COMMENT ON FUNCTION @extschema@.multica_cancel_comment_tasks(uuid) IS
$$Cancels the active tasks on the issue of a comment that this comment has caused, or that are going to answer it together with
others. Call it before the comment is edited or deleted, and queue tasks for the other comments again: coalesced_comment_ids of
the result has them.
comment_id: id of the comment.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 comment_id is NULL; P0002 (no_comment) the comment does not exist; 40001 another session queued a turn of a chat
  session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the
  tables is missing.
Implements the server's CancelAgentTasksByTriggerComment.$$;

COMMENT ON FUNCTION @extschema@.multica_cancel_chat_tasks(uuid) IS
$$Cancels the active turns of a chat session. Call it before the chat session is deleted or archived.
chat_session_id: id of the chat session.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 chat_session_id is NULL; P0002 (no_chat_session) the chat session does not exist; 40001 another session queued a
  turn of a chat session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a
  privilege on the tables is missing.
Implements the server's CancelAgentTasksByChatSession.$$;

COMMENT ON FUNCTION @extschema@.multica_cancel_runtime_tasks(uuid) IS
$$Cancels the active tasks of a runtime. Call it when the runtime is taken away from its owner. multica_delete_runtime does not
need it.
runtime_id: id of the runtime.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 runtime_id is NULL; P0002 (no_runtime) the runtime does not exist; 40001 another session queued a turn of a chat
  session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the
  tables is missing.
Implements the server's CancelAgentTasksByRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_claim(uuid, integer, uuid) IS
$$Claims tasks for a runtime. First it returns tasks again that the runtime claimed more than multica.redeliver_after ago
and never started, if their lease is over: a lost answer costs no attempt. Then it returns the best queued tasks of the runtime.
At most one task is in flight per issue and agent, and per chat session; in the tables of a server, also one task per agent that
has neither issue, chat nor autopilot run. An agent never has more than max_concurrent_tasks tasks in flight, and a runtime, a
provider and a workspace never more than multica_limit allows, however many claims run at once. An archived agent gets none. A
task is cancelled instead of returned if it belongs to another workspace than the runtime, or if its chat session or autopilot
run was deleted while it waited. Tasks of agents, chat sessions and limits that other sessions hold are left for the next call.
Deferred tasks of the runtime that are due are queued first, and deferred retries that newer work has replaced are cancelled.
runtime_id: id of the runtime.
max_tasks: maximum number of tasks, 0 or more (default 1); a value above 100 means 100.
incarnation: the uuid that the process passed to multica_register; NULL (the default) is not checked. It is recorded for each
  task, so that a recovery by the same process does not fail the task.
Returns one multica_claimed per task. prior_work_dir and prior_session_id are where to resume; the session is returned only
  if it was on this runtime and can be resumed. prepare_lease_expires_at is multica.prepare_lease from now. Pass claim_token to
  the calls that follow. A claim counts as a heartbeat of the runtime; but a runtime that is offline because no task can run there
  (metadata offline_reason, code not_executable) stays offline and gets no task. Records task:dispatch for each newly claimed
  task, task:queued, task:cancelled and agent:status.
Errors: 22004 runtime_id or max_tasks is NULL; 22023 max_tasks is below 0; P0002 (no_runtime) the runtime does not exist:
  register again; 55000 (superseded) another process has registered the runtime: stop; 55000 (install_needed) the tables are
  missing; 42501 a privilege on the tables is missing.
Implements the server's ClaimTaskForRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_claim_many(uuid[], integer, uuid) IS
$$Claims tasks for all runtimes of a daemon in one call, by the rules of multica_claim: redeliveries first, then the best queued
tasks of all runtimes together.
runtime_ids: ids of the runtimes; unknown ones are ignored, a repeated one counts once, an empty array is allowed.
max_tasks: maximum number of tasks of all runtimes together, 0 or more (default 1); a value above 100 means 100.
incarnation: as for multica_claim, for each of the runtimes.
Returns one multica_claimed per task, as multica_claim; runtime_id says for which runtime it is. The call counts as a heartbeat
  of all runtimes. A runtime that a trigger or constraint of your own does not let come online is named in a WARNING and gets no
  task; the others get theirs. Records the same events as multica_claim.
Errors: 22004 runtime_ids, an element of it or max_tasks is NULL; 22023 max_tasks is below 0; 55000 (superseded) another process
  has registered one of the runtimes: stop; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's ClaimTasksForRuntimes.$$;

COMMENT ON FUNCTION @extschema@.multica_limit(text, text, integer) IS
$$Limits how many tasks of a runtime, a provider or a workspace are in flight at a time. multica_claim and multica_claim_many
obey the limit, at every isolation level and however many claims run at once. Tasks that are in flight already stay, and the
claim of a server does not know the limit. There is no limit until one is set; the table multica_claim_limit contains them.
scope: runtime, provider (of all workspaces) or workspace.
key: id of the runtime or workspace, or name of the provider, which is compared in lower case.
max_in_flight: maximum number of tasks in flight, 0 or more; 0 lets nothing be claimed. NULL (the default) removes the limit.
Returns true if the limit has changed.
Errors: 22004 scope or key is NULL; 22023 scope is none of these words, key is no id, is blank or has more than 1000 bytes, or
  max_in_flight is below 0; P0002 (no_runtime, no_workspace) the runtime or workspace does not exist; 55000 (install_needed)
  the tables are missing; 42501 a privilege on the tables is missing.
The server has no such function: it limits agents only.$$;

COMMENT ON FUNCTION @extschema@.multica_delete_runtime(uuid, uuid[], uuid) IS
$$Deletes a runtime that is no longer wanted. Its tasks in flight are ended first, with all consequences. Tasks of agents that
are bound to another runtime move to that runtime. Open tasks of agents that have no runtime are cancelled, and their ended tasks
lose the runtime.
In the tables of a server whose agents can be without a runtime (feature unbound), the agents of the runtime lose it, archived
ones too: their open tasks are cancelled, their active autopilots and those of the squads that they lead are paused, and their
ended tasks lose the runtime. The system agents of the runtime are deleted. In other tables, archived agents that are bound to
it are deleted with their tasks, chats and autopilots; their tasks that no daemon has yet are cancelled first.
runtime_id: id of the runtime.
expected_agents: ids of the active agents that a user has agreed to unbind; NULL (the default) requires that there are none.
into_runtime_id: id of another runtime of the workspace, which gets the ended tasks of agents without a runtime, so that a
  server goes on counting what they have used; NULL (the default) detaches them.
Returns multica_runtime_deleted. Records daemon:register with action 'delete'.
Errors: 22004 runtime_id or an element of expected_agents is NULL; 22023 into_runtime_id is the runtime itself, or agents always
  have a runtime; P0002 (no_runtime) a runtime does not exist, or into_runtime_id is in another workspace; 55006 (in_use) agents
  that are not archived are bound to it and were not confirmed or cannot be unbound, they are not those in expected_agents, or a
  table of your own refers to it or to an agent that is deleted; 40001 other sessions hold agents, tasks or autopilots of the
  runtime, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements CountActiveAgentsByRuntime, DeleteArchivedAgentsByRuntime and DeleteAgentRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_delete_archived_agents(uuid) IS
$$Deletes the archived agents that are bound to a runtime, with their tasks, chats and autopilots. Their tasks in flight
are failed first, and those that no daemon has yet are cancelled, with all consequences. multica_delete_runtime does not need
it. It is refused in the tables of a server whose agents can be without a runtime (feature unbound): such a server keeps archived
agents and their history.
runtime_id: id of the runtime.
Returns the number of deleted agents.
Errors: 22004 runtime_id is NULL; P0002 (no_runtime) the runtime does not exist; 55006 (in_use) a table of your own refers
  to one of the agents; 40001 other sessions hold agents or tasks of the runtime, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements DeleteArchivedAgentsByRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_enqueue(uuid, jsonb, integer, integer, jsonb, timestamp with time zone) IS
$$Queues a task for an agent alone, for platforms that have no issues. The task goes to the runtime that the agent is bound
to.
agent_id: id of the agent.
context: any JSON that the daemon needs (default {}). In the tables of a server, the key workspace_id is added to an object,
  because the server expects it.
priority: tasks with a higher priority are claimed first (default 0).
max_attempts: total number of attempts, at least 1 (default 2); 2 allows one automatic retry.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
Returns multica_enqueued; created is always true. Records task:queued, for a deferred task when it is queued.
Errors: 22004 an argument is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is malformed, has an
  unknown key, or names two different users; P0002 (no_agent) the agent does not exist; 55000 (archived, unbound) the agent
  is archived or is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none;
  40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables
  are missing; 0A000 (missing_feature) an argument, or a key of provenance, needs a feature that the tables lack; 42501 a
  privilege on the tables is missing.
The server has no such function; this one runs the INSERT that the server's enqueue functions share.$$;

COMMENT ON FUNCTION @extschema@.multica_enqueue_issue(
    uuid, uuid, integer, integer, jsonb, jsonb, timestamp with time zone, uuid
) IS
$$Queues a task for the agent that an issue is assigned to, or for the leader of the squad that it is assigned to. If this
issue and agent already have a pending task, that task is returned instead. A new comment is never lost: it joins the
pending task, or gets a task of its own.
issue_id: id of the issue.
trigger_comment_id: id of the comment on this issue that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the issue (urgent 4, high
  3, medium 2, low 1, none 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none. If the comment joins a task, the keys of both
  contexts are kept, and of a key in both the new value.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
escalation_for_task_id: id of a task on this issue that has not started. When it starts, the new task, which is deferred
  until run_after, is cancelled. NULL (the default) means none.
Returns multica_enqueued. A comment joins a task that no daemon has claimed (merged): it becomes the trigger, and the former
  trigger one of coalesced_comment_ids; provenance and trigger_summary follow the new comment. Beside a claimed task that
  has not started, the new task is deferred until that one has started (planned); beside a running one it is queued. Where
  tasks have no coalesced_comment_ids, or without a new comment, the pending task is returned as it is (pending). With
  run_after, only a task with the same run_after takes the place of the new one. A task that is still queued moves to the
  runtime that the agent is bound to now. Records task:queued if a task was queued or moved.
Errors: 22004 issue_id is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is malformed, has an
  unknown key, or names two different users, or escalation_for_task_id is given without run_after; P0002 (no_issue,
  no_comment, no_agent, no_task) the issue does not exist, the comment or the task is not on it, or the agent is in another
  workspace; 55000 (not_assigned) the issue is not assigned to an agent or to a squad; 55000 (archived, unbound) the agent
  is archived or is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none;
  55000 (wrong_state) the task of escalation_for_task_id has started; 55000 (try_again) another session reassigned the issue
  at the same time; 40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (missing_feature) an argument, or a key of provenance, needs a feature that
  the tables lack; 42501 a privilege on the tables is missing.
Implements the server's enqueue for an issue.$$;

COMMENT ON FUNCTION @extschema@.multica_enqueue_mention(
    uuid, uuid, uuid, integer, integer, jsonb, jsonb, timestamp with time zone, uuid
) IS
$$Queues a task on an issue for an agent that was mentioned there, whether or not the issue is assigned to it. If this issue
and agent already have a pending task, that task is returned instead, or the comment joins it, as by multica_enqueue_issue.
issue_id: id of the issue.
agent_id: id of the mentioned agent.
trigger_comment_id: id of the comment on this issue that mentions the agent; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the issue (urgent 4, high
  3, medium 2, low 1, none 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
escalation_for_task_id: id of a task on this issue that has not started. When it starts, the new task, which is deferred
  until run_after, is cancelled. NULL (the default) means none.
Returns multica_enqueued, as multica_enqueue_issue does. Records task:queued if a task was queued or moved.
Errors: 22004 issue_id or agent_id is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is
  malformed, has an unknown key, or names two different users, or escalation_for_task_id is given without run_after; P0002
  (no_issue, no_comment, no_agent, no_task) the issue does not exist, the comment or the task is not on it, or its workspace
  has no such agent; 55000 (archived, unbound) the agent is archived or is bound to no runtime; 55000 (unattributed) the
  workspace requires a user, and provenance names none; 55000 (wrong_state) the task of escalation_for_task_id has started;
  40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables
  are missing; 0A000 (missing_feature) an argument, or a key of provenance, needs a feature that the tables lack; 42501 a
  privilege on the tables is missing.
Implements the server's enqueue for a mention.$$;

COMMENT ON FUNCTION @extschema@.multica_enqueue_chat(
    uuid, uuid, integer, integer, jsonb, jsonb, timestamp with time zone, boolean
) IS
$$Queues the next turn of a chat session. Several turns may wait; they are claimed one after the other.
chat_session_id: id of the chat session; its agent gets the task.
trigger_comment_id: id of a comment that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means 2.
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
owns_input: true: the turn answers the messages whose task_id is its id, which the caller sets, and a retry answers the same
  ones. false: the turn answers the messages since the last answer. NULL (the default) means false in the tables of a
  server, and true in others.
Returns multica_enqueued; created is always true. Records task:queued, for a deferred task when it is queued.
Errors: 22004 chat_session_id is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is malformed, has
  an unknown key, or names two different users; P0002 (no_chat_session, no_comment, no_agent) the chat session does not
  exist, its workspace has no such comment, or its agent is in another workspace; 55000 (chat_archived) the chat session is
  archived; 55000 (channel_chat) the server receives its messages from a channel; 55000 (archived, unbound) the agent is
  archived or is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none; 55000
  (try_again) another session changed the chat session at the same time; 40001 the agent was bound to another runtime at the
  same time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (missing_feature) an argument, or
  a key of provenance, needs a feature that the tables lack; 42501 a privilege on the tables is missing.
Implements the server's enqueue for a chat.$$;

COMMENT ON FUNCTION @extschema@.multica_enqueue_autopilot(
    uuid, uuid, integer, integer, jsonb, jsonb, timestamp with time zone
) IS
$$Queues the task of an autopilot run that works without an issue, and stores the task's id in the run. If the run already
has its task, that task is returned instead.
autopilot_run_id: id of the autopilot run; the assignee of the autopilot gets the task, or the leader of the squad that is
  the assignee.
trigger_comment_id: id of a comment that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the autopilot (urgent 4,
  high 3, medium 2, low 1, otherwise 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2. Such a task is never retried automatically.
context: any JSON that the daemon needs; NULL (the default) means none.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
Returns multica_enqueued. Records task:queued if a task was created, for a deferred task when it is queued.
Errors: 22004 autopilot_run_id is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is malformed,
  has an unknown key, or names two different users; P0002 (no_autopilot_run, no_comment, no_agent) the run does not exist,
  its workspace has no such comment, or its agent is in another workspace; 55000 (final) the run has already finished; 55000
  (not_assigned) the autopilot is assigned to a squad that is archived; 55000 (archived, unbound) the agent is archived or
  is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none; 55000
  (not_executable) the machine of the runtime cannot execute the provider; 55000 (try_again) another session changed the
  autopilot at the same time; 40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (missing_feature) an argument, or a key of provenance, needs a feature that
  the tables lack; 42501 a privilege on the tables is missing.
Implements the server's enqueue for a run_only autopilot.$$;

COMMENT ON FUNCTION @extschema@.multica_delete_stale_offline_runtimes(double precision, integer) IS
$$Deletes runtimes that have long been offline, that no agent is bound to and that have no active task. Their ended tasks
move to the runtimes that the agents are bound to now, so no history is lost. It is one stage of multica_sweep, for
callers that schedule the stages themselves. Rows that other transactions have locked are skipped.
ttl_secs: seconds since the last heartbeat, above 0.
max_runtimes: maximum number of runtimes, 0 or more, and also the maximum number of tasks to move; a runtime that still has
  tasks stays for the next call; NULL (the default) means no limit.
Returns one multica_runtime_ref per deleted runtime. Records daemon:register with action 'runtime_gc'. A runtime that one
  of your own tables refers to is skipped, as by multica_sweep.
Errors: 22004 ttl_secs is NULL; 22023 ttl_secs is not a finite number above 0, or max_runtimes is below 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements DeleteStaleOfflineRuntimes.$$;

COMMENT ON FUNCTION @extschema@.multica_mark_stale_runtimes_offline(double precision, integer) IS
$$Sets runtimes offline that are online and have been silent for too long. It is the first stage of multica_sweep, for
callers that schedule the stages themselves. Rows that other transactions have locked are skipped, so a heartbeat that
arrives first wins.
stale_secs: seconds without a heartbeat, above 0.
max_runtimes: maximum number of runtimes, 0 or more, those silent for longest first; NULL (the default) means no limit.
Returns one multica_runtime_ref per runtime set offline; a runtime that was never seen is never stale. Records
  daemon:register with action 'stale_sweep'. Their tasks in flight are left to the next stage or sweep.
Errors: 22004 stale_secs is NULL; 22023 stale_secs is not a finite number above 0, or max_runtimes is below 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements MarkStaleRuntimesOffline.$$;

COMMENT ON FUNCTION @extschema@.multica_list_pending_tasks(uuid) IS
$$Lists the pending tasks of a runtime, newest first: those that are queued, those that were dispatched
and not started, and those that are deferred until their media are there.
runtime_id: id of the runtime; one that does not exist has no tasks.
Returns one multica_task per task.
Errors: 22004 runtime_id is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's ListPendingTasksByRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_has_pending_task(uuid, uuid) IS
$$Reports whether an issue has a pending task: one that is queued, dispatched and not started, or deferred until its media are
there. While it has one, another one is not created.
issue_id: id of the issue.
agent_id: looks only for tasks of this agent; NULL (the default) means any agent.
Returns true or false.
Errors: 22004 issue_id is NULL; P0002 (no_issue, no_agent) the issue or the agent does not exist; 55000 (install_needed) the
  tables are missing; 42501 a privilege on the tables is missing.
Implements the server's HasPendingTaskForIssueAndAgent.$$;

COMMENT ON FUNCTION @extschema@.multica_count_running_tasks(uuid) IS
$$Counts the tasks of an agent that are in flight (dispatched, running or waiting for a directory), on any runtime.
max_concurrent_tasks limits this number.
agent_id: id of the agent.
Returns the number of tasks.
Errors: 22004 agent_id is NULL; P0002 (no_agent) the agent does not exist; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's CountRunningTasks.$$;

COMMENT ON FUNCTION @extschema@.multica_last_task_session(uuid, uuid) IS
$$Returns the last session of an agent on an issue, whether that task was completed, failed or cancelled. In the tables of a
newer server, sessions that failed in a way that resuming would repeat, and retired sessions, are left out, and session_id
is NULL if the session is on a runtime other than the agent's.
issue_id: id of the issue.
agent_id: id of the agent.
Returns one multica_session, or no row if no task got as far as a session.
Errors: 22004 an argument is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's GetLastTaskSession.$$;

COMMENT ON FUNCTION @extschema@.multica_last_chat_session(uuid) IS
$$Returns the session of the last turn of a chat, whether that turn was completed, failed or cancelled. In the tables of a
newer server, this is the session of the chat if it is on the agent's runtime; else the last turn's, chosen as by
multica_last_task_session.
chat_session_id: id of the chat session.
Returns one multica_session, or no row if no turn got as far as a session.
Errors: 22004 chat_session_id is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's GetLastChatTaskSession.$$;

COMMENT ON FUNCTION @extschema@.multica_merge_legacy(uuid, text, text, uuid) IS
$$Merges the runtimes that a daemon left behind under an earlier daemon id into its present one. Agents and tasks, ended
tasks included, and chat sessions that refer to the old runtimes, move there; the earlier id is stored; the old rows are
deleted. Runtimes of profiles are left out. All of this happens in one transaction that locks both sides: a task that is
being queued on the old runtime moves too, or its INSERT fails.
workspace_id: id of the workspace.
provider: name of the provider.
daemon_id: the earlier daemon id; it matches rows that differ from it only in case.
into_runtime_id: id of the runtime that stays; NULL (the default) merges the matching runtimes into the one spelled exactly
  like daemon_id, or else into the one that was seen last.
Returns multica_merged; merged is 0 if nothing matched. Records daemon:register with action 'merge'. A runtime that one of
  your own tables refers to stays, without its agents and tasks; a WARNING names it. The runtime that stays gets the owner,
  metadata and name of the old ones if it has none. If both have a system agent of one key, its work goes to the one that
  stays, unless one of the two was archived before: this one only loses its key. The process that had registered an old
  runtime counts as replaced by that of the runtime that stays.
Errors: 22004 workspace_id, provider or daemon_id is NULL; P0002 (no_workspace, no_runtime) the workspace does not exist, or
  into_runtime_id is not a runtime of this workspace and provider or belongs to a profile; 40001 other sessions hold agents
  or tasks of the runtime, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a
  privilege on the tables is missing.
Implements FindLegacyRuntimesByDaemonID, ReassignAgentsToRuntime, ReassignTasksToRuntime, RecordRuntimeLegacyDaemonID and
  DeleteAgentRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_reassign_agents(uuid, uuid) IS
$$Binds every agent of one runtime, archived ones included, to another runtime of the same workspace. Tasks stay where they
are.
old_runtime_id: id of the runtime that the agents leave.
new_runtime_id: id of the runtime that the agents move to.
Returns the number of agents that moved. A system agent whose key another one has there is archived first, and its work goes
  to that one, unless one of the two was archived before: this one only loses its key. If this is not possible, the agent
  stays, and a WARNING says so. Records daemon:register with action 'reassign' and the new runtime if agents have moved.
Errors: 22004 an argument is NULL; P0002 (no_runtime) one of the runtimes does not exist, or they are in different
  workspaces; 40001 other sessions hold agents or tasks of the runtime, repeat the transaction; 55000 (install_needed) the
  tables are missing; 42501 a privilege on the tables is missing.
Implements ReassignAgentsToRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_reassign_tasks(uuid, uuid) IS
$$Moves every task of one runtime, ended ones included, to another runtime of the same workspace. Agents stay where they
are.
old_runtime_id: id of the runtime that the tasks leave.
new_runtime_id: id of the runtime that the tasks move to.
Returns the number of tasks that moved. Records daemon:register with action 'reassign' and the new runtime if tasks have moved.
Errors: 22004 an argument is NULL; P0002 (no_runtime) one of the runtimes does not exist, or they are in different
  workspaces; 40001 other sessions hold agents or tasks of the runtime, repeat the transaction; 55000 (install_needed) the
  tables are missing; 42501 a privilege on the tables is missing.
Implements ReassignTasksToRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_fail_tasks_for_offline_runtimes(double precision, integer) IS
$$Fails the tasks in flight on all offline runtimes, with retries and all other consequences in the same transaction. It is
one stage of multica_sweep, for callers that schedule the stages themselves. Rows that other transactions have locked are
skipped.
grace_secs: fails only tasks of runtimes that have been silent for more than this many seconds, 0 for all; NULL (the
  default) means multica.offline_grace.
max_tasks: maximum number of tasks, 0 or more, those dispatched longest ago first; NULL (the default) means no limit.
Returns one multica_task per failed task, with failure_reason 'runtime_offline', newest first.
Errors: 22023 grace_secs is not a finite number of 0 or more, or max_tasks is below 0; 55000 (install_needed) the tables
  are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the
  tables is missing.
Implements FailTasksForOfflineRuntimes.$$;

COMMENT ON FUNCTION @extschema@.multica_fail_stale_tasks(double precision, double precision, integer) IS
$$Fails tasks that were dispatched too long ago or have been running for too long, with retries and all other consequences
in the same transaction. A task that its daemon still prepares is left. In the tables of a server that can keep heartbeats in
Redis, a running task is left until its runtime was silent for multica.offline_grace, and so is a dispatched task unless its
runtime is alive; in other tables the runtime does not matter. It is one stage of multica_sweep, for callers that schedule
the stages themselves. Rows that other transactions have locked are skipped.
dispatch_timeout_secs: seconds since dispatched_at, above 0.
running_timeout_secs: seconds since started_at, above 0.
max_tasks: maximum number of tasks, 0 or more; NULL (the default) means no limit.
Returns one multica_task per failed task, with failure_reason 'timeout', newest first.
Errors: 22004 a timeout is NULL; 22023 a timeout is not a finite number above 0, or max_tasks is below 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements the server's FailStaleTasks.$$;

COMMENT ON FUNCTION @extschema@.multica_recover_orphans(uuid, uuid[], uuid) IS
$$Fails the tasks that the daemon's previous process left in flight, with retries and all other consequences in the same
transaction. Call it from a daemon that has just restarted; multica_register does the same with "recover": true.
runtime_id: id of the runtime.
running_task_ids: ids of the tasks that the daemon is still running; NULL (the default) means none.
incarnation: the uuid that the process passed to multica_register; tasks that it has claimed with it are no orphans. NULL
  (the default) is not checked, and then only running_task_ids are no orphans.
Returns multica_recovered. The tasks get failure_reason 'runtime_recovery'. A task that a trigger or constraint of your own
  refuses is named in a WARNING and stays in flight until a sweep fails it; the others are failed.
Errors: 22004 runtime_id or an element of running_task_ids is NULL; P0002 (no_runtime) the runtime does not exist; 55000
  (superseded) another process has registered the runtime: stop; 40001 an agent was bound to another runtime at the same
  time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not
  work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's recover-orphans endpoint.$$;

COMMENT ON FUNCTION @extschema@.multica_handle_failed_tasks(uuid[]) IS
$$Applies the consequences of failed tasks, for an application that failed them with its own SQL. It may run in the same
transaction or later. It queues retries for the tasks that may be retried, sets issues without an active task from
in_progress back to todo, ends autopilot runs, reconciles agents and records the events.
task_ids: ids of the tasks; those that do not exist or are not failed are ignored, and so are consequences that were
  already applied.
Returns multica_consequences.
Errors: 22004 the array or an element is NULL; 40001 an agent was bound to another runtime at the same time, repeat the
  transaction; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a
  feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's HandleFailedTasks.$$;

COMMENT ON FUNCTION @extschema@.multica_register(uuid, jsonb, uuid) IS
$$Registers the runtimes that a daemon offers, when the daemon starts: all of them or, if one entry is wrong, none. The
daemon's runtimes under earlier daemon ids are merged into the new ones, as by multica_merge_legacy.
workspace_id: id of the workspace.
registration: an object; unknown keys are ignored, and a WARNING names them.
  daemon_id: id of the daemon, required, not blank, at most 1000 bytes.
  legacy_daemon_ids: earlier daemon ids, in any case.
  device_name, cli_version, launched_by: text that is stored with the runtimes.
  capabilities: a list of texts that is stored in the metadata of the runtimes.
  incarnation: a uuid that the daemon process makes once, at its start. From then on the runtimes belong to this process: the
    process that registered them before gets 55000 (superseded) from every call to which it passes its own incarnation.
    Without this key nothing is stored and nothing is replaced.
  recover: true fails the tasks that the previous process left in flight, as by multica_recover_orphans.
  runtimes: objects with these keys: type or provider (they mean the same; at most 1000 bytes, stored in lower case, each
    provider only once), profile_id (id of the profile that the runtime belongs to; the provider of the profile is stored, and
    each profile is listed only once), name (if missing, it is made from the provider or the name of the profile, and
    device_name), version, status ('online' if missing, or 'offline'), running (ids of tasks that the daemon is still running;
    they are not orphans).
  failed_profiles: objects with these keys: profile_id, command_name, reason; for each profile whose runtime could not be
    started, an offline runtime is stored, with both texts in its metadata. At least one runtime or failed profile is required.
owner_id: id of the user that the runtimes belong to; NULL (the default) keeps the present owners.
Returns one multica_registered per runtime, in the order of the registration. Records one daemon:register with action
  'register', and in replaced_incarnations the incarnation that was replaced, by runtime. A runtime of an earlier daemon id that one of your own tables refers to stays, without its agents and tasks; a
  task that cannot be written stays in flight; a WARNING names each. If other sessions hold agents or tasks each time the call
  tries to lock them, old runtimes and tasks stay as they are, with a WARNING. Runtimes of profiles are not merged.
Errors: 22004 workspace_id or registration is NULL; 22023 registration is malformed, and the message names the path in it;
  P0002 (no_workspace, no_profile) the workspace does not exist, or has no profile that a runtime names;
  55000 (profile_disabled) such a profile is disabled; 55000 (superseded) a later registration has replaced this
  incarnation: stop; 0A000 (no_profiles) a runtime names a profile, and the database has
  none; 23503 the owner does not exist; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the
  registration has "recover", which does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements UpsertAgentRuntime for each runtime, the merge, and the recovery that a restarted daemon asks for.$$;

COMMENT ON FUNCTION @extschema@.multica_rerun(uuid, uuid, jsonb) IS
$$Reruns an issue for a user: it cancels tasks of the issue's assignee on it and queues a new task, in one transaction. The
new task starts a chain of its own (attempt 1), and answers the comments of the tasks that were cancelled. In the tables of
a server that stores what a task reruns (rerun_of_task_id), tasks that have started go on, and the new task waits behind
them; a claim decides by rerun_of_task_id where it resumes. In other tables every active task is cancelled, and the new task
resumes where the agent's last task on the issue stopped, the task that was just cancelled included. If the agent is now on
another runtime than that task, or if resuming would repeat its failure, it takes over the working directory and no session.
issue_id: id of the issue.
trigger_comment_id: id of the comment on this issue that asks for the task; NULL (the default) if no comment does.
provenance: where the new task comes from, an object as for multica_enqueue_issue; NULL (the default) means that the owner
  of the agent is accountable.
Returns multica_task, the new one. Records task:cancelled and task:queued.
Errors: 22004 issue_id is NULL; 22023 provenance is malformed, has an unknown key, or names two different users; P0002
  (no_issue, no_comment, no_agent) the issue does not exist, the comment is not on it, or the agent is in another workspace;
  55000 (not_assigned) the issue is not assigned to an agent or to a squad; 55000 (archived, unbound) the agent is archived
  or is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none; 55000
  (try_again) another session reassigned the issue at the same time; 40001 the agent was bound to another runtime at the
  same time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (missing_feature) a key of
  provenance needs a feature that the tables lack; 42501 a privilege on the tables is missing.
Implements the server's rerun endpoint.$$;

COMMENT ON FUNCTION @extschema@.multica_rerun_task(uuid, uuid, jsonb) IS
$$Reruns one task that has ended, for a user: it queues a first attempt for the same agent, issue, chat session or autopilot
run, with the comments, the context, the role, the priority and max_attempts of that task. The task need not have an issue.
Tasks of the same issue and agent that have not started are cancelled, and their comments are answered too; tasks that have
started go on. The new task resumes where that task stopped: in its working directory, and in its session unless the agent
is on another runtime or resuming would repeat its failure. An autopilot run that has ended stays as it is.
task_id: id of the task.
trigger_comment_id: id of the comment on the task's issue that asks for the rerun; NULL (the default) means the task's own
  comment.
provenance: where the new task comes from, an object as for multica_enqueue_issue; NULL (the default) means that the owner
  of the agent is accountable.
Returns multica_task, the new one. Records task:cancelled for each task that it replaces, and task:queued.
Errors: 22004 task_id is NULL; 22023 provenance is malformed, has an unknown key, or names two different users; P0002
  (no_task, no_comment) the task does not exist, or the comment is not on its issue or in its workspace; 55000 (wrong_state)
  the task has not ended, or its chat session or autopilot run was deleted; 55000 (chat_archived, channel_chat) its chat
  session is archived, or belongs to a channel; 55000 (archived, unbound) the agent is archived or is bound to no runtime;
  55000 (unattributed) the workspace requires a user, and provenance names none; 55000 (not_executable) the machine of the
  runtime cannot execute the provider, for a task of an autopilot run; 40001 the agent was bound to another runtime at the
  same time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (missing_feature) a key of
  provenance needs a feature that the tables lack; 42501 a privilege on the tables is missing.
Implements the server's rerun endpoint for one task.$$;

COMMENT ON FUNCTION @extschema@.multica_retry(uuid) IS
$$Queues the automatic retry of one failed task, for an application that failed it with its own SQL.
multica_handle_failed_tasks does this and applies all other consequences.
The retry waits on the runtime that the agent is bound to now, and resumes the session only if that is the runtime of the
failed task.
task_id: id of the task.
Returns one multica_task, the retry. Returns no row if the task is not failed, multica_retry_policy_in_force() does not
  retry its failure_reason, its attempts are used up, its agent is archived or has no runtime, it already has its retry,
  or a newer task of the same issue or chat waits, runs or has run. Records task:queued, unless the retry is deferred.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 40001 the agent was bound to another runtime at the
  same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's MaybeRetryFailedTask.$$;

COMMENT ON FUNCTION @extschema@.multica_retry_policy_in_force() IS
$$Returns the retry policy: what follows when a task fails, by its failure_reason. These are the built-in rules with what
the operator has changed of them in the table multica_retry_policy, in which a column that is NULL is as built in.
It takes no arguments.
Returns one multica_retry_rule per reason; the last one, *, is for all other reasons. A task is retried if is_retried is
  true, its max_attempts is 2 or more, its attempt is below max_attempts of the rule, and the conditions of multica_retry
  hold. If the tables have fire_at, a delayed retry is deferred until then. Until multica_install has made the table, the
  rules are the built-in ones.
Errors: 42501 a privilege on the tables is missing.
The server's policy is part of its code.$$;

COMMENT ON FUNCTION @extschema@.multica_reconcile_agent(uuid) IS
$$Reconciles the status of an agent: 'working' while one of its tasks is dispatched or running, else 'idle'. The other
functions do this themselves; call it from an application that changed tasks with its own SQL.
agent_id: id of the agent.
Returns the status that the agent now has. Records agent:status if it changed.
Errors: 22004 agent_id is NULL; P0002 (no_agent) the agent does not exist; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's ReconcileAgentStatus.$$;

COMMENT ON FUNCTION @extschema@.multica_sweep(double precision) IS
$$Runs all stages of a sweep once, in one transaction. It sets stale runtimes offline, fails tasks in flight on offline
runtimes, tasks that their daemon has lost, tasks that took too long or give no sign of life any more, deferred retries whose
runtime did not come back, and tasks that were queued for too long, queues retries, resets issues, ends autopilot runs,
reconciles agents, completes what a server left undone after it failed tasks, queues deferred tasks that are due, moves tasks
that wait on an offline runtime to the runtimes that their agents are bound to now, sets agents without work to idle, deletes
runtimes that have been offline for multica.runtime_ttl and that nothing uses, forgets what is stored about deleted runtimes
and ended tasks, and trims old events. Each stage handles at most multica.batch_size rows. A sweep never waits for a lock:
rows that other transactions have locked are left to the next sweep. After an outage it sets no runtime offline and fails no
task until daemons had time for a heartbeat (multica.hold_verdicts), and says so in a NOTICE.
stale_secs: seconds without a heartbeat after which a runtime is stale, above 0; NULL (the default) means
  multica.stale_after.
Returns multica_swept; if more is true, sweep again. Every event carries the sweep_id of the sweep. A row that cannot be
  written because of a trigger or constraint of your own is named in a WARNING, listed by multica_status and skipped for
  five minutes.
Errors: 22023 stale_secs is not a finite number above 0; 55000 (install_needed) the tables are missing; 0A000
  (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements MarkStaleRuntimesOffline, FailTasksForOfflineRuntimes, the server's task timeouts and DeleteStaleOfflineRuntimes,
  with the consequences of each.$$;

COMMENT ON PROCEDURE @extschema@.multica_sweep_all(double precision) IS
$$Sweeps until no work is left, and commits after every part of a sweep: CALL multica_sweep_all(). Run it from a scheduler
such as pg_cron. Verdicts are committed before runtimes are deleted and events are trimmed, so an error there undoes no
verdict. Because it commits, it cannot run inside a transaction block, in a function, or over a connection that opens
transactions by itself (psycopg: set autocommit).
stale_secs: as for multica_sweep; NULL (the default) means multica.stale_after.
Returns nothing; multica_sweep_state holds what the last sweep did. It ends after as many parts as the work that was there
  at the start needs, so a steady stream of new work does not keep it running for ever.
Errors: 2D000 it was called inside a transaction block; 22023 stale_secs is not a finite number above 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing. Parts that were committed stay.
Implements the server's sweeper, repeatedly.$$;

COMMENT ON FUNCTION @extschema@.multica_sweep_part(text, double precision) IS
$$Runs one part of a sweep, for a procedure that commits after each part: multica_sweep_all calls it. An error in
housekeeping then undoes no verdict.
part: 'verdicts' starts a sweep, and continues with the housekeeping if there is no verdict to write; 'housekeeping' does
  the rest of the sweep that this session has started, and starts a new one if there is none.
stale_secs: as for multica_sweep; NULL (the default) means multica.stale_after.
Returns the part to call next, after a COMMIT: 'verdicts', 'housekeeping', or 'none' if nothing is left to do.
Errors: 22004 part is NULL; 22023 part is not one of these words, or stale_secs is not a finite number above 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements a part of the server's sweeper.$$;

COMMENT ON FUNCTION @extschema@.multica_start(uuid, bigint) IS
$$Starts a task that a daemon claimed: dispatched or waiting_local_directory becomes running, and the lease ends. Tasks that were
to run unless this one started are cancelled in the same transaction.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is false if the holder of the current token repeats the call. Records task:running, then
  task:cancelled for each task that was to run otherwise, and agent:status.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task is neither
  dispatched nor waiting (it may have been failed or cancelled in the meantime: do not run it); 55000 (stale_claim) the task
  was claimed again since; 40001 another session queued a turn of a chat session at the same time, repeat the transaction;
  55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's StartAgentTask.$$;

COMMENT ON FUNCTION @extschema@.multica_complete(uuid, jsonb, text, text, bigint, jsonb, text) IS
$$Completes a task: running becomes completed. In the same transaction it updates the chat's pointer, the autopilot run, the
issue's first_executed_at and the agent's status, and deletes the task's tokens. If applied is true, write the visible reply in
this transaction too. Pass what an agent printed to multica_complete_raw: Postgres refuses some of it as jsonb.
task_id: id of the task.
result: the result, any JSON; NULL (the default) means none. If it is a text, or an object whose key output is a text, and
  this text is nothing but the agent's message that its context is used up, the task fails instead, with the text as its error
  and the failure_reason agent_error.context_overflow, as by multica_fail (not in tables of a server before migration 066).
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
extra: an object with branch_name, durable_work_dir, retired_session_id (texts; the last one is a session that the run has given
  up and that nothing resumes again) and session_rollout_missing (a boolean; true means that the transcript of the session is
  lost, so that it counts as given up). Each key may be left out or NULL, which keeps what is stored; a key for which the tables
  have no column is not stored. NULL (the default) means none.
issue_status: the status that the task's issue gets in this transaction; the open autopilot runs of the issue end with it if its
  category is done, in_review, blocked or cancelled. NULL (the default) leaves the issue as it is.
Returns multica_transition; applied is false if the task had already ended, so a repeated call is harmless. first_execution
  is true if this call set the issue's first_executed_at. If silence has failed the task and the token is that of its last
  claim, the result is kept: its retry is taken over, as by multica_resume, and completed, and the row is that of the retry.
  Records task:resumed, task:completed, chat:done, autopilot:run_done, issue:updated, agent:status.
Errors: 22004 task_id is NULL; 22023 extra is no such object, or has another key, or issue_status is not a status of the issue's
  workspace, or the task has no issue; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task is not running;
  55000 (stale_claim) the task was claimed again since; 40001 the task fails instead, and the agent was bound to another runtime
  at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's CompleteTask.$$;

COMMENT ON FUNCTION @extschema@.multica_fail(uuid, text, text, text, text, bigint, jsonb) IS
$$Fails a task for a daemon: dispatched, waiting_local_directory or running becomes failed, with every consequence in the same
transaction. It is retried if the reason allows that; otherwise its issue is reset to todo if the issue has no other active task.
Pass what an agent printed to multica_fail_raw: Postgres refuses some of it as text.
task_id: id of the task.
error: what went wrong, as text for people.
failure_reason: one word, see multica_retry_policy_in_force. NULL (the default) or empty means that the word is found in the
  error, and a word that stands for several failures may be replaced, as by multica_classify_failure. In tables of a server
  before migration 066, empty means 'agent_error'.
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
extra: as for multica_complete.
Returns multica_transition, with retry_task_id; applied is false if the task had already ended. If silence has failed the
  task and the token is that of its last claim, its retry is taken over, as by multica_resume, and fails, and the row is that
  of the retry. Records task:resumed, task:failed and the events of the consequences. A chat forgets a session that must not be
  resumed, if it points to it.
Errors: 22004 task_id or error is NULL; 22023 extra is no such object, or has another key; P0002 (no_task) the task does not
  exist; 55000 (wrong_state) the task is still queued; 55000 (stale_claim) the task was claimed again since; 40001 the agent was
  bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a
  privilege on the tables is missing.
Implements the server's FailTask.$$;

COMMENT ON FUNCTION @extschema@.multica_resume(uuid, bigint) IS
$$Goes on with a run that silence has failed. If a task was failed because its runtime was silent (runtime_offline) or it took
too long (timeout), and no process has its retry yet, the retry is claimed and started for the process that had the task, in
one transaction. The failed task stays as it is. It is for a machine that was only asleep, whose agent still works: work on
with the id and the claim_token of the returned row. The agent's limit, those of multica_limit, and one task in flight per issue
and agent and per chat session hold as for multica_claim.
task_id: id of the task; multica_heartbeat returns in resume_task_ids the tasks for which the call works.
claim_token: the token of the last claim of that task.
Returns multica_claimed, the retry: it is running, and has the session and the directory of the failed task. A repeated call
  returns the same row. A task that is still in flight with this token is returned as it is. The call counts as a heartbeat
  of the runtime, as a claim does. Records task:resumed, agent:status, daemon:register if the runtime was offline.
Errors: 22004 task_id or claim_token is NULL; P0002 (no_task) the task does not exist; 55000 (final) the run cannot go on:
  stop working on the task; 55000 (stale_claim, wrong_state) the task was claimed again since, or is queued: stop working on
  the task; 55000 (superseded) another process has registered the runtime: stop; 40001 another session held rows of the
  task, repeat the transaction; 55000 (row_kept_out) a trigger keeps the row unchanged; 55000 (install_needed) the tables are
  missing; 42501 a privilege on the tables is missing.$$;

COMMENT ON FUNCTION @extschema@.multica_pin_session(uuid, text, text, bigint, jsonb) IS
$$Stores where a task in flight can be resumed. Call it as soon as the daemon has the session. It is a sign of life of the
task, as multica_progress. Of a task that was cancelled meanwhile, it stores the session, the working directory, the branch and the
durable directory if they are not stored yet, and the chat points to this session unless a newer turn has one (not in tables of a
server before migration 066).
task_id: id of the task.
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
extra: as for multica_complete.
Returns true if it was stored, false if the task has ended, or is queued.
Errors: 22004 task_id is NULL; 22023 session_id, work_dir and extra are all empty, or extra is no such object, or has another
  key; P0002 (no_task) the task does not exist; 55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the
  tables are missing; 42501 a privilege on the tables is missing.
Implements the server's UpdateAgentTaskSession.$$;

COMMENT ON FUNCTION @extschema@.multica_progress(uuid, bigint, jsonb) IS
$$Records a sign of life that a running task gives itself, and its progress. Call it while the agent works, as often as
something happens: it locks the task alone. Once a task has given a sign, a sweep fails it if it gives none for
multica.idle_timeout (off by default). A task that gives signs is not lost, even if heartbeats do not name it.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
progress: an object of your own, of at most 8192 bytes of text; NULL (the default) for a sign of life alone.
Returns multica_transition, with applied = true. Records task:progress if there is a progress that differs from the last
  recorded one of the task, and that was recorded at least multica.progress_interval ago; otherwise the progress is not
  stored.
Errors: 22004 task_id is NULL; 22023 progress is no object or too long; P0002 (no_task) the task does not exist; 55000
  (wrong_state, final) the task is not running (it may have been failed or cancelled in the meantime: stop working on it);
  55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
The server reports the progress of tasks of issues to its clients only, and stores nothing.$$;

COMMENT ON TYPE @extschema@.multica_session IS
$$Where an agent can resume: session_id and work_dir of the same task. session_id is NULL if only the directory is usable.$$;

COMMENT ON FUNCTION @extschema@.multica_grant(regrole, text) IS
$$Grants a capability to a role, which lets it use the extension.
grantee: the role.
capability: 'reader' (lists, lookups, status, metrics, events), 'daemon' (register, send heartbeats, claim, start, pin,
  complete, fail, and the lookups that a daemon needs) or 'operator' (every function).
It grants USAGE on the schema and EXECUTE on the functions, and nothing on the tables: a call acts as the owner of the
tables. Where a table has row-level security, calls may run with the privileges of their caller. Then it also grants what
their statements need on the tables, by column where that is enough. It may run before multica_install. A capability is
stored only as privileges: multica_revoke, REVOKE or DROP OWNED removes it.
Returns nothing.
Errors: 22004 an argument is NULL; 22023 capability is not one of these words; P0002 (no_role) no role has that OID;
  42501 the caller is neither a superuser nor the owner of the extension, or may not grant privileges on the tables;
  55000 (update_needed) library and SQL objects have different versions.$$;

COMMENT ON FUNCTION @extschema@.multica_revoke(regrole, text) IS
$$Takes a capability from a role, and the privileges on tables that versions before 0.4.0 granted for it.
grantee: the role.
capability: 'reader', 'daemon' or 'operator'. Operator includes the other two, which cannot be taken from an operator.
It revokes what the owners of the functions and tables granted, except what another capability of the role needs. USAGE on
the schema stays. A NOTICE names the privileges that other roles granted, and says so if the role does not have the
capability.
Returns nothing.
Errors: 22004 an argument is NULL; 22023 capability is not one of these words; P0002 (no_role) no role has that OID;
  42501 the caller is neither a superuser nor the owner of the extension, or may not revoke privileges on the tables;
  55000 (update_needed) library and SQL objects have different versions.$$;

COMMENT ON FUNCTION @extschema@.multica_count_sweep_parts() IS
$$Returns how many parts a sweep of everything that is due has at most. multica_sweep_all stops after this number.
It takes no arguments.
Returns the number.
Errors: 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
The server has no such function.$$;

COMMENT ON TYPE @extschema@.multica_retry_rule IS
$$What follows when a task fails for a reason: reason (a failure_reason, or * for every reason without a rule of its own);
is_retried; max_attempts (attempts in all, the first one included; 0 means the task's own max_attempts); delay_secs (seconds
until the retry is due); delay_from_attempt (the first attempt whose failure is followed by the delay); backoff_factor (by
what the delay is multiplied after each further attempt); jitter (the part of the delay that is added at random, at most);
keeps_session (whether the retry resumes the session and the working directory); waits_for_runtime (whether the retry is
deferred until its runtime is online); unsafe_to_resume (whether no later task may resume the session); is_changed (whether
the operator has changed the rule).$$;
