-- 0.3.0. Afterwards run SELECT * FROM multica_install().

-- A server that still runs the library of 0.2.0 does not have this symbol: the update is refused and changes nothing.
DO $library$
BEGIN
    CREATE FUNCTION @extschema@.multica_is_0_3_0_or_later() RETURNS void
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_is_0_3_0_or_later_wrapper';
    DROP FUNCTION @extschema@.multica_is_0_3_0_or_later();
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION 'the loaded library of multica is older than version 0.3.0'
    USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Install the newer package, restart the server where it preloads multica, connect anew, then run '
            'ALTER EXTENSION multica UPDATE; again.';
END
$library$;

ALTER TYPE @extschema@.multica_registered ADD ATTRIBUTE not_merged bigint;
ALTER TYPE @extschema@.multica_merged ADD ATTRIBUTE not_merged bigint;
ALTER TYPE @extschema@.multica_status_report ADD ATTRIBUTE refused_event_ids bigint[];
ALTER TYPE @extschema@.multica_status_report ADD ATTRIBUTE event_log_trouble text;

COMMENT ON FUNCTION @extschema@.multica_delete_runtime(uuid) IS
$$Deletes a runtime that nobody wants any longer. What is in flight there is failed first, with retries and all
other consequences. Archived agents bound to it go, with their tasks, chats and autopilots; tasks of agents that
live elsewhere move to those agents' runtimes.
runtime_id: the runtime.
Returns multica_runtime_deleted. Records daemon:register with action 'delete'.
Errors: 22004 runtime_id is NULL; P0002 no such runtime; 55006 agents that are not archived are bound to it, or a
  table of yours refers to it or to one of the archived agents; 55000 the tables are missing; 42501 no privilege on them.
Carries out CountActiveAgentsByRuntime, DeleteArchivedAgentsByRuntime and DeleteAgentRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_delete_archived_agents(uuid) IS
$$Deletes the archived agents bound to a runtime, with their tasks, chats and autopilots. What they have in flight
is failed first, with all consequences.
runtime_id: the runtime.
Returns how many agents were deleted.
Errors: 22004 runtime_id is NULL; P0002 no such runtime; 55006 a table of yours refers to one of them; 55000 the
  tables are missing; 42501 no privilege on them.
Carries out DeleteArchivedAgentsByRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_forget_reader(text) IS
$$Forgets a named reader: no event is kept for it any longer, and the name begins anew when it is used again.
reader: name of the reader.
Returns true where there was one.
Errors: 22004 reader is NULL; 55006 a table of yours refers to it; 55000 the tables are missing; 42501 no privilege
  on them.
The server has nothing like it: its events are gone once they are sent.$$;

COMMENT ON FUNCTION @extschema@.multica_delete_stale_offline_runtimes(double precision, integer) IS
$$Deletes runtimes that have long been offline, that no agent is bound to and that have no active task. Their
finished tasks move to the runtimes on which their agents live now, so no history is lost. A stage of
multica_sweep, for those who schedule stages by themselves. Rows that others hold are skipped.
ttl_secs: seconds since the last sign of life, above 0.
max_runtimes: at most so many runtimes, and as many tasks to move; a runtime with tasks left stays for the next
  call; NULL is no bound.
Returns one multica_runtime_ref a runtime deleted. Records daemon:register with action 'runtime_gc'. A runtime that
  something of yours refers to is passed over as by multica_sweep.
Errors: 22004 ttl_secs is NULL; 22023 ttl_secs is not a finite number above 0, or max_runtimes is below 0; 55000
  the tables are missing; 42501 no privilege on them.
Carries out DeleteStaleOfflineRuntimes.$$;

COMMENT ON FUNCTION @extschema@.multica_merge_legacy(uuid, text, text, uuid) IS
$$Makes the runtimes that a machine left behind under an earlier identity part of the one it has now: agents and
tasks, finished ones included, move there, the identity is remembered, the old rows are deleted. All of it in
one transaction with both ends locked, so a task that is being queued on the old runtime moves along or its
insert fails.
workspace_id: the workspace.
provider: the provider.
daemon_id: the earlier identity; rows that differ from it only in case match.
into_runtime_id: the runtime that stays; NULL unites the matches themselves, into the one spelt exactly like
  daemon_id, else into the one seen last.
Returns multica_merged; merged is 0 where nothing matched. Records daemon:register with action 'merge'. A runtime that
  something of yours refers to stays, without its agents and tasks; a WARNING names it.
Errors: 22004 workspace_id, provider or daemon_id is NULL; P0002 no such workspace, or into_runtime_id is not a
  runtime of this workspace and provider; 55000 the tables are missing; 42501 no privilege on them.
Carries out FindLegacyRuntimesByDaemonID, ReassignAgentsToRuntime, ReassignTasksToRuntime,
  RecordRuntimeLegacyDaemonID and DeleteAgentRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_upsert_runtime(uuid, text, text, text, text, text, text, jsonb, uuid) IS
$$Inserts a runtime, or overwrites the one of the same workspace, daemon id and provider. It counts as seen now. A
daemon that registers all its runtimes at once calls multica_register instead.
workspace_id: the workspace.
daemon_id: identity of the machine, not blank, at most 1000 bytes; NULL only where runtime_mode is 'cloud', and then a
  new row is inserted each time.
name: what people read.
runtime_mode: 'local' or 'cloud'.
provider: such as 'claude', not blank, at most 1000 bytes.
status: 'online' or 'offline'.
device_info: free text.
metadata: an object, replaced as a whole.
owner_id: the user it belongs to; NULL keeps the owner there is.
Returns multica_registered; merged is 0. Records daemon:register with action 'register'.
Errors: 22004 a required argument is NULL, device_info and metadata included; 22023 runtime_mode or status
  outside its set, provider or daemon_id blank or too long; P0002 no such workspace; 23503 no such owner; 55000 the tables
  are missing; 42501 no privilege on them.
Carries out UpsertAgentRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_register(uuid, jsonb, uuid) IS
$$Registers a machine when its daemon starts: all runtimes it offers or, where one entry is wrong, none. Runtimes
that it has under earlier identities become part of the new ones as by multica_merge_legacy.
workspace_id: the workspace.
registration: an object; keys that it does not know are ignored with a WARNING that names them.
  daemon_id: identity of the machine, required, not blank, at most 1000 bytes.
  legacy_daemon_ids: earlier identities, in any case.
  device_name, cli_version, launched_by: text that is kept with the runtimes.
  recover: true fails what the previous process left in flight, as by multica_recover_orphans.
  runtimes: at least one object with type or provider (which mean the same, each at most once, at most 1000 bytes), name
    (made from it and device_name where missing), version, status ('online' where missing, or 'offline'), running (ids
    of tasks that the daemon still works on: no orphans).
owner_id: the user the runtimes belong to; NULL keeps the owners there are.
Returns one multica_registered a runtime, in the order given. Records one daemon:register with action 'register'. A
  runtime of an earlier identity that something of yours refers to stays, without its agents and tasks, and a task that
  cannot be written stays in flight; a WARNING names each.
Errors: 22004 workspace_id or registration is NULL; 22023 registration is malformed, the message names the path in
  it; P0002 no such workspace; 23503 no such owner; 55000 the tables are missing; 42501 no privilege on them.
Carries out UpsertAgentRuntime for each runtime, the merge, and the recovery that a restarted daemon asks for.$$;

COMMENT ON FUNCTION @extschema@.multica_claim(uuid, integer) IS
$$A runtime asks for work. First it gets again what it claimed more than multica.redeliver_after ago and never started:
a lost answer costs no attempt. Then the best of what waits for it. One task at a time is in flight for an issue and
agent and for a chat session, max_concurrent_tasks of an agent holds however many ask at once, and archived agents get
none. A task of another workspace than the runtime's, and one whose chat or autopilot run was deleted while it
waited, is cancelled instead of handed out.
runtime_id: the runtime.
max_tasks: at most so many, 0 or more; above 100 is 100.
Returns one multica_claimed per task, with where to resume (prior_work_dir, and prior_session_id if the session was on this
  runtime) and the claim_token to pass on. It is a sign of life of the runtime. Records task:dispatch for what is newly claimed,
  task:cancelled and agent:status.
Errors: 22004 an argument is NULL; 22023 max_tasks is below 0; P0002 no such runtime: register again; 55000 the tables
  are missing; 42501 no privilege on them.
Carries out the server's ClaimTaskForRuntime.$$;

COMMENT ON FUNCTION @extschema@.multica_enqueue_issue(uuid, uuid, integer, integer, jsonb) IS
$$Queues a task for the agent an issue is assigned to. Where one of the pair waits already, that one is the answer.
issue_id: the issue.
trigger_comment_id: the comment of this issue that asks for it; NULL where none does.
priority: higher is claimed first; NULL is the issue's (urgent 4, high 3, medium 2, low 1, none 0).
max_attempts: attempts in all, at least 1; NULL is 2, one automatic retry.
context: what the daemon needs to know, any JSON; NULL is none.
Returns multica_enqueued; created is false where a task was queued or dispatched already, which keeps its own trigger
  comment and, while it waits, moves to the runtime where the agent lives now. Records task:queued where a task was created
  or moved.
Errors: 22004 issue_id is NULL; 22023 max_attempts is below 1; P0002 no such issue, no such comment on it, or the agent is
  of another workspace; 55000 no agent is assigned, the agent is archived, somebody reassigned the issue meanwhile, or
  the tables are missing; 42501 no privilege on them.
Carries out the server's enqueue for an issue.$$;

COMMENT ON FUNCTION @extschema@.multica_enqueue_mention(uuid, uuid, uuid, integer, integer, jsonb) IS
$$Queues a task on an issue for an agent that was mentioned there, whoever is assigned. Where one of the pair waits
already, that one is the answer.
issue_id: the issue.
agent_id: the agent mentioned.
trigger_comment_id: the comment of this issue that mentions it; NULL where none does.
priority: higher is claimed first; NULL is the issue's (urgent 4, high 3, medium 2, low 1, none 0).
max_attempts: attempts in all, at least 1; NULL is 2, one automatic retry.
context: what the daemon needs to know, any JSON; NULL is none.
Returns multica_enqueued, as multica_enqueue_issue does. Records task:queued where a task was created or moved.
Errors: 22004 issue_id or agent_id is NULL; 22023 max_attempts is below 1; P0002 no such issue, no such comment on it,
  no such agent in the issue's workspace; 55000 the agent is archived, or the tables are missing; 42501 no privilege
  on them.
Carries out the server's enqueue for a mention.$$;

COMMENT ON FUNCTION @extschema@.multica_retry(uuid) IS
$$Queues the automatic retry of one failed task, for an application that failed it with SQL of its own.
multica_handle_failed_tasks does this and everything else that follows.
The retry waits on the runtime where the agent lives now, and resumes the session only if that is the task's own.
task_id: the task.
Returns one multica_task, the retry, or no row: the task is not failed, its failure_reason is not retried, its attempts
  are used up, its agent is archived, it has its retry, or newer work of the same issue or chat waits, runs or has
  run. Records task:queued.
Errors: 22004 task_id is NULL; P0002 no such task; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's MaybeRetryFailedTask.$$;

COMMENT ON FUNCTION @extschema@.multica_rerun(uuid, uuid) IS
$$A user wants an issue worked on again: what its assignee has active there is cancelled and a fresh task queued, in one
transaction. It begins a chain of its own (attempt 1) and resumes where the agent left off, the run just cancelled
included; on another runtime than that run's it takes over the working directory and no session.
issue_id: the issue.
trigger_comment_id: the comment of this issue that asks for it; NULL where none does.
Returns multica_task, the fresh one. Records task:cancelled and task:queued.
Errors: 22004 issue_id is NULL; P0002 no such issue, no such comment on it, or the agent is of another workspace; 55000
  no agent is assigned, the agent is archived, somebody reassigned the issue meanwhile, or the tables are missing;
  42501 no privilege on them.
Carries out the server's rerun endpoint.$$;

COMMENT ON FUNCTION @extschema@.multica_sweep(double precision) IS
$$One pass over everything that silence leaves behind, in one transaction: stale runtimes go offline, tasks in
flight on offline runtimes and tasks that took too long are failed, retries are queued, issues, autopilot runs
and agents set right, tasks that wait on an offline runtime moved to where their agents live now, agents without work
set to idle, runtimes that nobody has used for multica.runtime_ttl deleted, old events trimmed. At most
multica.batch_size rows a stage; it waits for nobody: what others hold is left for the next pass.
stale_secs: seconds without a sign of life after which a runtime is dead, above 0; NULL is multica.stale_after.
Returns multica_swept; where more is true, sweep again. Every event carries the sweep's sweep_id. A row that cannot
  be written, because of a trigger or constraint of your own, is named in a WARNING, listed by multica_status and
  passed over for five minutes.
Errors: 22023 stale_secs is not a finite number above 0; 55000 the tables are missing; 42501 no privilege on
  them.
Carries out MarkStaleRuntimesOffline, FailTasksForOfflineRuntimes, the server's task timeouts and
  DeleteStaleOfflineRuntimes, with what follows from each.$$;

COMMENT ON TYPE @extschema@.multica_registered IS
$$What a registration did with one runtime: the runtime's columns as they are now, inserted (true: it is new,
false: an existing row was overwritten), merged (how many runtimes of earlier identities became part of it),
not_merged (how many were kept because something refers to them or keeps them from being written; a WARNING names
each).$$;

COMMENT ON TYPE @extschema@.multica_merged IS
$$What a merge did: runtime_id (the runtime that stays), merged (runtimes that became part of it),
agents_reassigned and tasks_reassigned (rows that moved), not_merged (runtimes that were kept because something refers
to them or keeps them from being written; a WARNING names each).$$;

COMMENT ON FUNCTION @extschema@.multica_events(bigint, integer) IS
$$The events after a given one, in order, for readers that want all of them and remember by themselves how far
they read. It stops before an event that a transaction still open might yet precede, so going on from the last
id skips nothing.
after_id: id of the last event already read; 0 for the beginning, as long as no event was trimmed. A reader that begins later
  begins after multica_sweep_state.events_trimmed_to.
max_events: at most so many, at least 1.
Returns one multica_event an event, ascending.
Errors: 22004 an argument is NULL; 22023 max_events is below 1; 55000 events after after_id were trimmed
  already, or the log has begun anew since after_id, or a subscription writes into the log, or the transaction's
  isolation is above READ COMMITTED, or the server is a standby, or the tables are missing; 42501 no privilege on
  them.
It takes the place of the server's in-process event bus.$$;

COMMENT ON FUNCTION @extschema@.multica_take_events(text, integer) IS
$$The next events of a named reader. Its position moves in the caller's transaction: what is written in the same
transaction happens exactly once, and after a rollback the same events come again. Two sessions that take as one
reader take turns.
reader: name of the reader, not blank, at most 1000 bytes; one that is new begins with the oldest event kept.
max_events: at most so many, at least 1.
Returns one multica_event an event, ascending.
Errors: 22004 an argument is NULL; 22023 reader is blank or too long, or max_events is below 1; 55000 events that it
  had not taken were trimmed, or the log has begun anew since it took any, or a subscription writes into the log, or it was
  forgotten meanwhile, or the transaction's isolation is above READ COMMITTED, or the server is a standby, or the
  tables are missing; 42501 no privilege on them.
It takes the place of the server's in-process event bus.$$;

COMMENT ON FUNCTION @extschema@.multica_install(boolean) IS
$$Creates the tables that are missing in the extension's schema and adopts those that are there. Run it after
CREATE EXTENSION and after every ALTER EXTENSION UPDATE; a second run changes nothing. To an adopted table it
adds at most the columns of the server's migration 055, the pending slot's index and indexes named multica_*. It
never drops or rewrites data. What it made itself (defaults, comments, triggers, their functions, privileges) is made
again where it is missing or another, counters of issue numbers that are behind are moved on there, and an event
log whose ids cannot go on begins anew.
dry_run: true changes nothing and lists what would be done.
Returns one multica_install_step an object.
Errors: 22004 dry_run is NULL; 55000 a table of that name is not Multica's, a column has another type, an index
  of that name is another one, or library and SQL objects are of different versions; 0A000 the schema is of a
  generation that this version does not understand, or the database is not in UTF8; 42501 the caller does not own the tables, they belong to
  several roles, or a privilege is missing; 55P03 a lock was not to be had within lock_timeout (5 s unless set).
  Then nothing was changed.
It stands beside the server's own migrations, up to 055.$$;

COMMENT ON TYPE @extschema@.multica_status_report IS
$$How things stand in this database: preloaded (the server preloads the library), sweep (what ALTER DATABASE says:
whether the worker sweeps it), stale_after and offline_grace (in effect), launcher_pid; last_sweep_at; last_sweep_ms
and the last_ counters of the last sweep that did something; last_error and last_error_at (of the worker, or of the
last row that a sweep could not write); refused_ids (runtimes and tasks passed over because they cannot be written); runtimes and tasks by status, tasks_unclaimable (queued for a
runtime that is offline, an archived agent, or across workspaces), oldest_queued_secs in seconds; events_kept (an
estimate), events_held (not readable yet because of a transaction open since events_held_since), slowest_reader and
how many events it is behind; total_sweeps (sweeps that did something) and the other total_ counters, all that sweeps
did since totals_since (NULL before the first one is counted); refused_event_ids (old events that could not be deleted);
event_log_trouble (why the ids of the event log cannot go on as they are; NULL where they can).$$;

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
        ('multica_tasks_unclaimable', '{}', s.tasks_unclaimable::double precision),
        ('multica_oldest_queued_seconds', '{}', s.oldest_queued_secs),
        ('multica_events_kept', '{}', s.events_kept::double precision),
        ('multica_events_held', '{}', s.events_held::double precision),
        ('multica_events_held_since_timestamp_seconds', '{}', extract(epoch FROM s.events_held_since)::double precision),
        ('multica_slowest_reader_behind', pg_catalog.jsonb_build_object('reader', s.slowest_reader), s.slowest_reader_behind::double precision),
        ('multica_event_log_trouble', '{}', (s.event_log_trouble IS NOT NULL)::integer::double precision)
    ) AS m (name, labels, value)
    WHERE m.value IS NOT NULL
$metrics$;

CREATE FUNCTION @extschema@.multica_can_commit() RETURNS bool
STABLE STRICT
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_can_commit_wrapper';

COMMENT ON FUNCTION @extschema@.multica_can_commit() IS
$$Whether the procedure that calls it may commit; multica_sweep_all asks before it does.
It takes no arguments.
Returns true in a procedure or DO block that was called outside a transaction block, and false everywhere else.
Errors: none.
The server has nothing like it.$$;

CREATE FUNCTION @extschema@.multica_sweep_part(part text, stale_secs double precision DEFAULT NULL) RETURNS text
SET search_path TO @extschema@, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'multica_sweep_part_wrapper';

COMMENT ON FUNCTION @extschema@.multica_sweep_part(text, double precision) IS
$$One part of a sweep, for a procedure that commits after each: multica_sweep_all calls it. What housekeeping meets then
costs no verdict.
part: 'verdicts' begins a sweep, and goes on with the housekeeping where no verdict is to be written; 'housekeeping'
does what is left of the sweep that this session has begun, and begins one where there is none.
stale_secs: as for multica_sweep; NULL is multica.stale_after.
Returns the part to call next, after a COMMIT: 'verdicts', 'housekeeping', or 'none' where nothing is left to do.
Errors: 22004 part is NULL; 22023 part is another word, or stale_secs is not a finite number above 0; 55000 the
  tables are missing; 42501 no privilege on them.
Carries out a part of the server's sweeper.$$;

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
            HINT = 'CALL it by itself, with autocommit on in drivers that open transactions; or run '
                'SELECT * FROM multica_sweep() again while more is true.';
    END IF;
    COMMIT;
    IF part OPERATOR(pg_catalog.=) 'housekeeping'::pg_catalog.text THEN
        part := @extschema@.multica_sweep_part(part, stale_secs);
        COMMIT;
    END IF;
    IF part OPERATOR(pg_catalog.=) 'none'::pg_catalog.text THEN
        RETURN;
    END IF;
    SELECT pg_catalog.div(pg_catalog.sum(left_over.many), pg_catalog.current_setting('multica.batch_size')::pg_catalog.numeric)::bigint
    INTO parts
    FROM (
        SELECT pg_catalog.count(*)::pg_catalog.numeric AS many
        FROM @extschema@.agent_task_queue AS t
        WHERE t.status OPERATOR(pg_catalog.=) ANY ('{dispatched,running}'::pg_catalog.text[])
        UNION ALL
        SELECT pg_catalog.count(*) FROM @extschema@.agent_runtime
        UNION ALL
        -- No event is smaller: more than this are not there. Ids may leap, so they do not tell.
        SELECT pg_catalog.div(pg_catalog.pg_relation_size('@extschema@.multica_event_log'::pg_catalog.regclass)::pg_catalog.numeric, 64)
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
    FOR nth IN 0 .. parts OPERATOR(pg_catalog.+) 102 LOOP
        part := @extschema@.multica_sweep_part(part, stale_secs);
        COMMIT;
        EXIT WHEN part OPERATOR(pg_catalog.=) 'none'::pg_catalog.text;
    END LOOP;
END
$procedure$;

COMMENT ON FUNCTION @extschema@.multica_heartbeat_many(uuid[]) IS
$$A sign of life of many runtimes in one statement: a whole machine's, or what a server has gathered.
runtime_ids: the runtimes; unknown ones are passed over, one given twice counts once, an empty array is allowed.
Returns how many of them exist and were written. Those that were offline are announced as by multica_heartbeat. One that a
  trigger or constraint of your own refuses is named in a WARNING and not counted; the others are written.
Errors: 22004 the array or an element is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out UpdateAgentRuntimeHeartbeat, for many.$$;

COMMENT ON FUNCTION @extschema@.multica_deregister(uuid[]) IS
$$A daemon's good-bye before it exits: its runtimes go offline at once instead of after multica.stale_after. Tasks
in flight are left to the next sweep.
runtime_ids: the runtimes; unknown ones are passed over, an empty array is allowed.
Returns how many were online until now. Records one daemon:register with action 'deregister' per workspace. One that a
  trigger or constraint of your own refuses is named in a WARNING and stays online; the others go offline.
Errors: 22004 the array or an element is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out SetAgentRuntimeOffline, for many.$$;

COMMENT ON FUNCTION @extschema@.multica_recover_orphans(uuid, uuid[]) IS
$$Fails what a daemon's previous process left in flight, with retries and all other consequences in the same
transaction. For a daemon that has just restarted; multica_register does the same with "recover": true.
runtime_id: the runtime.
running_task_ids: ids of tasks that the daemon still works on; NULL is none.
Returns multica_recovered. failure_reason of the tasks is 'runtime_recovery'. A task that a trigger or constraint of your
  own refuses is named in a WARNING and stays in flight until a sweep fails it; the others are failed.
Errors: 22004 runtime_id or an element of running_task_ids is NULL; P0002 no such runtime; 55000 the tables are
  missing; 42501 no privilege on them.
Carries out the server's recover-orphans endpoint.$$;

COMMENT ON PROCEDURE @extschema@.multica_sweep_all(double precision) IS
$$Sweeps until nothing is left, committing after every part of a sweep: CALL multica_sweep_all(). What a scheduler such
as pg_cron runs. Verdicts are committed before runtimes are deleted and events trimmed, so an error there costs none.
It commits, so it cannot run inside a transaction block, in a function, or over a connection that opens
transactions by itself (psycopg: set autocommit).
stale_secs: as for multica_sweep; NULL is multica.stale_after.
Returns nothing; multica_sweep_state has what the last sweep did. It ends after as many parts as there was work
  for when it began, so a steady stream of new work does not keep it for ever.
Errors: 2D000 called inside a transaction block; 22023 stale_secs is not a finite number above 0; 55000 the
  tables are missing; 42501 no privilege on them. Parts that had committed stay.
Carries out the server's sweeper, repeatedly.$$;

-- What is new belongs to whoever the extension belongs to, and may be called by those who may call the procedure.
DO $rights$
DECLARE
    owner text;
    called text;
    holder record;
BEGIN
    SELECT e.extowner::pg_catalog.regrole::pg_catalog.text INTO owner
    FROM pg_catalog.pg_extension AS e
    WHERE e.extname OPERATOR(pg_catalog.=) 'multica';
    FOREACH called IN ARRAY ARRAY[
        '@extschema@.multica_can_commit()', '@extschema@.multica_sweep_part(text, double precision)'
    ] LOOP
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %s', called, owner);
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', called);
        FOR holder IN
            SELECT a.grantee::pg_catalog.regrole::pg_catalog.text AS name, a.is_grantable
            FROM pg_catalog.pg_proc AS p
            CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS a
            WHERE p.oid OPERATOR(pg_catalog.=) '@extschema@.multica_sweep_all(double precision)'::pg_catalog.regprocedure
                AND a.privilege_type OPERATOR(pg_catalog.=) 'EXECUTE'
                AND a.grantee OPERATOR(pg_catalog.<>) p.proowner
                AND a.grantee OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
        LOOP
            EXECUTE pg_catalog.format(
                'GRANT EXECUTE ON FUNCTION %s TO %s%s', called, holder.name,
                CASE WHEN holder.is_grantable THEN ' WITH GRANT OPTION' END
            );
        END LOOP;
    END LOOP;
END
$rights$;
