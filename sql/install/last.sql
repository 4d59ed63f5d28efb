-- What has to come after every function and type of the extension.

-- Nobody calls anything before multica_grant says so. Members are found by their dependency on the extension, so that
-- a function that pgrx generates is never forgotten.
DO $revoke$
DECLARE
    member regprocedure;
BEGIN
    FOR member IN
        SELECT d.objid::regprocedure
        FROM pg_depend AS d
        JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
        WHERE e.extname = 'multica' AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
    LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', member);
    END LOOP;
END
$revoke$;

COMMENT ON FUNCTION multica_version IS 'version of the loaded library; 55000 where the SQL objects are of another one';
COMMENT ON FUNCTION multica_install IS
'creates the tables that are missing and adopts those that are there, one row per object: created, altered, adopted, or '
'missing for what an adopted table lacks and its owner may add; dry_run changes nothing and lists the statements';

COMMENT ON FUNCTION multica_register IS
'registers a machine from its registration: all its runtimes or none, earlier identities merged, orphans recovered if asked for';
COMMENT ON FUNCTION multica_upsert_runtime IS
'inserts a runtime or overwrites the one with the same daemon id and provider; a NULL owner keeps the one there is';
COMMENT ON FUNCTION multica_heartbeat IS
'sign of life of a runtime; answers which of the tasks that the daemon says it runs are no longer in flight there';
COMMENT ON FUNCTION multica_heartbeat_many IS 'signs of life of many runtimes at once; how many of them exist';
COMMENT ON FUNCTION multica_set_runtime_offline IS 'sets a runtime offline; true: it was online';
COMMENT ON FUNCTION multica_deregister IS 'a daemon''s good-bye: its runtimes go offline; how many were online';
COMMENT ON FUNCTION multica_list_runtimes IS 'runtimes of a workspace, oldest first';
COMMENT ON FUNCTION multica_list_runtimes_by_owner IS 'runtimes of a workspace that belong to a user, oldest first';
COMMENT ON FUNCTION multica_get_runtime IS 'one runtime, no row when it does not exist';
COMMENT ON FUNCTION multica_get_runtime_for_workspace IS 'one runtime of a workspace, no row when it is not there';
COMMENT ON FUNCTION multica_find_legacy_runtimes IS
'every runtime of a workspace and provider whose daemon id is the given one but for case';
COMMENT ON FUNCTION multica_count_active_agents IS 'how many agents that are not archived are bound to a runtime';
COMMENT ON FUNCTION multica_merge_legacy IS
'merges the runtimes of an earlier daemon id into one: agents and tasks move, the identity is remembered, the old rows go';
COMMENT ON FUNCTION multica_reassign_agents IS 'moves every agent of a runtime to another one of the workspace; how many';
COMMENT ON FUNCTION multica_reassign_tasks IS
'moves every task of a runtime, finished ones included, to another one of the workspace; how many';
COMMENT ON FUNCTION multica_record_legacy_daemon_id IS
'remembers an earlier identity of a runtime; false: an earlier one stays';
COMMENT ON FUNCTION multica_delete_runtime IS
'deletes a runtime without active agents; the history of every agent that lives elsewhere is kept; 55006 with active agents';
COMMENT ON FUNCTION multica_delete_archived_agents IS 'deletes the archived agents of a runtime with what is theirs; how many';
COMMENT ON FUNCTION multica_delete_stale_offline_runtimes IS
'deletes runtimes that were offline for longer than ttl_secs and that nothing needs; no history is lost';
COMMENT ON FUNCTION multica_mark_stale_runtimes_offline IS
'sets runtimes offline that gave no sign of life for longer than stale_secs';

COMMENT ON FUNCTION multica_sweep IS
'one pass: stale runtimes, tasks of offline runtimes, timed-out tasks, consequences, runtime GC, event retention; NULL is '
'multica.stale_after; more says that a stage hit multica.batch_size';
COMMENT ON PROCEDURE multica_sweep_all IS
'sweeps and commits until nothing is left; commits, so it cannot run inside a transaction block: use autocommit';
COMMENT ON FUNCTION multica_fail_tasks_for_offline_runtimes IS
'fails what is in flight on runtimes that are offline for longer than the grace, with all consequences; NULL is '
'multica.offline_grace';
COMMENT ON FUNCTION multica_fail_stale_tasks IS 'fails tasks dispatched or running for too long, with all consequences';
COMMENT ON FUNCTION multica_recover_orphans IS
'fails what the previous daemon process of a runtime left in flight, with all consequences; running_task_ids are no orphans';
COMMENT ON FUNCTION multica_handle_failed_tasks IS
'the failure pipeline for tasks that an application failed with SQL of its own; a second time it does nothing';

COMMENT ON FUNCTION multica_enqueue IS 'a task of an agent alone, for platforms without issues';
COMMENT ON FUNCTION multica_enqueue_issue IS 'a task for the assignee of an issue; one that is pending already is that one';
COMMENT ON FUNCTION multica_enqueue_mention IS
'a task for an agent mentioned on an issue; one that is pending already is that one';
COMMENT ON FUNCTION multica_enqueue_chat IS 'the next turn of a chat session';
COMMENT ON FUNCTION multica_enqueue_autopilot IS 'the task of an autopilot run that works without an issue';
COMMENT ON FUNCTION multica_claim IS
'hands out up to max_tasks tasks of a runtime: first those whose answer was lost, then the best that wait';
COMMENT ON FUNCTION multica_start IS 'dispatched to running; 55000 when the task was failed or cancelled meanwhile';
COMMENT ON FUNCTION multica_complete IS 'running to completed, with all consequences; repeated it answers applied = false';
COMMENT ON FUNCTION multica_fail IS
'in flight to failed, and the failure pipeline; repeated it answers applied = false';
COMMENT ON FUNCTION multica_pin_session IS
'remembers session and working directory of a run in flight, so that a retry resumes there';
COMMENT ON FUNCTION multica_cancel IS 'cancels an active task, with all consequences; one that is over is answered as it is';
COMMENT ON FUNCTION multica_cancel_issue_tasks IS 'cancels the active tasks of an issue, of one agent or of all';
COMMENT ON FUNCTION multica_cancel_agent_tasks IS 'cancels the active tasks of an agent';
COMMENT ON FUNCTION multica_retry IS 'queues the retry of a failed task, no row when it is not eligible';
COMMENT ON FUNCTION multica_rerun IS
'cancels the active tasks of an issue''s assignee and queues a fresh one that resumes where the agent left off';
COMMENT ON FUNCTION multica_get_task IS 'one task, no row when it does not exist';
COMMENT ON FUNCTION multica_list_pending_tasks IS 'what waits on a runtime or was handed to it and not started';
COMMENT ON FUNCTION multica_list_issue_tasks IS 'tasks of an issue, newest first';
COMMENT ON FUNCTION multica_list_agent_tasks IS 'tasks of an agent, newest first';
COMMENT ON FUNCTION multica_has_active_task IS 'whether any task of an issue is not over yet';
COMMENT ON FUNCTION multica_has_pending_task IS 'whether a task of an issue, of one agent or any, is queued or dispatched';
COMMENT ON FUNCTION multica_count_running_tasks IS 'how many tasks of an agent are in flight';
COMMENT ON FUNCTION multica_last_task_session IS 'session and working directory in which an agent left an issue';
COMMENT ON FUNCTION multica_last_chat_session IS 'session and working directory of the last turn of a chat';
COMMENT ON FUNCTION multica_reconcile_agent IS 'sets the status of an agent right; the status it now has';

COMMENT ON FUNCTION multica_events IS
'events after an id, in order and without gaps, for a reader that remembers by itself how far it has read';
COMMENT ON FUNCTION multica_take_events IS
'the next events of a named reader, whose position moves in the caller''s transaction';
COMMENT ON FUNCTION multica_forget_reader IS 'forgets a named reader; true: there was one';

COMMENT ON FUNCTION multica_status IS 'how sweeping, tasks and events stand, in one row';
COMMENT ON FUNCTION multica_metrics IS 'the same as counters and gauges for an exporter';

COMMENT ON TYPE multica_runtime IS 'a runtime';
COMMENT ON TYPE multica_registered IS 'a runtime after its registration: inserted, and how many rows were merged into it';
COMMENT ON TYPE multica_beat IS 'a runtime after a heartbeat, and the tasks that its daemon has to stop';
COMMENT ON TYPE multica_runtime_ref IS 'a runtime and its workspace';
COMMENT ON TYPE multica_runtime_deleted IS 'what went with a runtime and what was kept';
COMMENT ON TYPE multica_merged IS 'the runtime that others were merged into, and what moved';
COMMENT ON TYPE multica_task IS 'a task';
COMMENT ON TYPE multica_enqueued IS 'a task that is pending now; created is false for one that was there';
COMMENT ON TYPE multica_claimed IS 'a task that was handed out, the session to resume and the token of the claim';
COMMENT ON TYPE multica_transition IS 'a task after a call of its daemon; applied is false when nothing was done';
COMMENT ON TYPE multica_session IS 'session and working directory of an agent';
COMMENT ON TYPE multica_swept IS 'what a pass of the sweep did';
COMMENT ON TYPE multica_recovered IS 'orphans that were failed, and retries of them';
COMMENT ON TYPE multica_consequences IS 'what followed from failed tasks';
COMMENT ON TYPE multica_event IS 'an event of the outbox';
COMMENT ON TYPE multica_install_step IS 'one object that multica_install looked at, and the statement for it';
COMMENT ON TYPE multica_status_report IS 'what multica_status says';
COMMENT ON TYPE multica_metric IS 'one counter or gauge';
