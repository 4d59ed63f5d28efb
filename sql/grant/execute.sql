-- The statement that lets role $1 call what capability $2 is for. An operator calls everything that belongs to the
-- extension; the other two are listed by name.
SELECT format(
    'GRANT EXECUTE ON ROUTINE %s TO %s',
    string_agg(
        format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), ', ' ORDER BY p.oid
    ),
    $1::regrole
)
FROM pg_extension AS e
JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE e.extname = 'multica'
    AND (
        $2 = 'operator'
        OR p.proname::text = ANY (CASE $2
            WHEN 'reader' THEN ARRAY[
                'multica_list_runtimes', 'multica_list_runtimes_by_owner', 'multica_get_runtime',
                'multica_get_runtime_for_workspace', 'multica_find_legacy_runtimes', 'multica_count_active_agents',
                'multica_get_task', 'multica_list_pending_tasks', 'multica_list_issue_tasks', 'multica_list_agent_tasks',
                'multica_has_active_task', 'multica_has_pending_task', 'multica_count_running_tasks',
                'multica_last_task_session', 'multica_last_chat_session', 'multica_events', 'multica_take_events',
                'multica_forget_reader', 'multica_list_readers', 'multica_status', 'multica_metrics', 'multica_version'
            ]
            WHEN 'daemon' THEN ARRAY[
                'multica_register', 'multica_upsert_runtime', 'multica_heartbeat', 'multica_heartbeat_many',
                'multica_set_runtime_offline', 'multica_deregister', 'multica_recover_orphans', 'multica_claim',
                'multica_start', 'multica_pin_session', 'multica_complete', 'multica_fail', 'multica_get_runtime',
                'multica_get_runtime_for_workspace', 'multica_get_task', 'multica_list_pending_tasks',
                'multica_last_task_session', 'multica_last_chat_session', 'multica_version'
            ]
        END)
    )
