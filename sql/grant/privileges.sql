-- Returns the statements that grant role $1 the privileges on the tables in schema $3 that the calls of capability $2 need, and
-- whether the caller may run them. $4: only the privileges that the role lacks, including those on tables and columns that do not
-- exist yet, but not those on columns that only newer servers have. A row lock needs UPDATE on some column; if no other column is
-- written, the list has the time of the row. The columns with which an agent is started (for example custom_env and mcp_config)
-- are in no list. A daemon needs DELETE on runtimes, because a daemon that registers under a new identity replaces its old
-- runtimes.
WITH needed (capabilities, relation, privilege, columns) AS (
    VALUES
    ('{daemon,operator}'::text[], 'workspace', 'SELECT', '{id}'::text[]),
    ('{daemon,operator}', 'workspace', 'UPDATE', '{updated_at}'),
    ('{reader,daemon,operator}', 'agent_runtime', 'SELECT', '{}'),
    (
        '{daemon,operator}', 'agent_runtime', 'INSERT',
        '{workspace_id,daemon_id,name,runtime_mode,provider,status,device_info,metadata,owner_id,last_seen_at,created_at,updated_at}'
    ),
    (
        '{daemon,operator}', 'agent_runtime', 'UPDATE',
        '{name,runtime_mode,status,device_info,metadata,owner_id,last_seen_at,updated_at,legacy_daemon_id}'
    ),
    ('{daemon,operator}', 'agent_runtime', 'DELETE', '{}'),
    ('{reader}', 'agent', 'SELECT', '{id,workspace_id,runtime_id,archived_at,kind}'),
    (
        '{daemon,operator}', 'agent', 'SELECT',
        '{id,workspace_id,runtime_id,name,description,avatar_url,runtime_mode,runtime_config,visibility,status,'
        'max_concurrent_tasks,owner_id,created_at,updated_at,archived_at,archived_by,kind}'
    ),
    ('{daemon,operator}', 'agent', 'UPDATE', '{runtime_id,status,updated_at}'),
    ('{operator}', 'agent', 'DELETE', '{}'),
    ('{reader}', 'issue', 'SELECT', '{id,workspace_id}'),
    ('{daemon,operator}', 'issue', 'SELECT', '{}'),
    ('{daemon,operator}', 'issue', 'UPDATE', '{status,first_executed_at,updated_at}'),
    ('{daemon}', 'comment', 'SELECT', '{id}'),
    ('{operator}', 'comment', 'SELECT', '{id,issue_id,workspace_id}'),
    ('{daemon,operator}', 'comment', 'UPDATE', '{updated_at}'),
    ('{reader}', 'chat_session', 'SELECT', '{id,workspace_id}'),
    ('{daemon,operator}', 'chat_session', 'SELECT', '{id,workspace_id,session_id,work_dir,runtime_id}'),
    ('{operator}', 'chat_session', 'SELECT', '{agent_id}'),
    ('{daemon,operator}', 'chat_session', 'UPDATE', '{session_id,work_dir,updated_at,runtime_id}'),
    ('{reader,daemon,operator}', 'autopilot', 'SELECT', '{id,workspace_id}'),
    ('{operator}', 'autopilot', 'SELECT', '{assignee_id,priority}'),
    ('{reader,daemon,operator}', 'autopilot_run', 'SELECT', '{id,autopilot_id}'),
    ('{daemon,operator}', 'autopilot_run', 'SELECT', '{status}'),
    ('{operator}', 'autopilot_run', 'SELECT', '{task_id}'),
    ('{daemon,operator}', 'autopilot_run', 'UPDATE', '{status,completed_at,result,failure_reason}'),
    ('{operator}', 'autopilot_run', 'UPDATE', '{task_id}'),
    ('{reader,daemon,operator}', 'agent_task_queue', 'SELECT', '{}'),
    (
        '{daemon,operator}', 'agent_task_queue', 'INSERT',
        '{agent_id,runtime_id,issue_id,chat_session_id,autopilot_run_id,trigger_comment_id,priority,context,session_id,'
        'work_dir,max_attempts,attempt,parent_task_id,status,created_at}'
    ),
    (
        '{daemon,operator}', 'agent_task_queue', 'UPDATE',
        '{runtime_id,status,dispatched_at,started_at,completed_at,result,error,failure_reason,session_id,work_dir,'
        'last_heartbeat_at,prepare_lease_expires_at,wait_reason}'
    ),
    ('{reader,operator}', 'multica_event_log', 'SELECT', '{}'),
    ('{daemon,operator}', 'multica_event_log', 'INSERT', '{created_at,type,workspace_id,payload}'),
    ('{operator}', 'multica_event_log', 'UPDATE', '{created_at}'),
    ('{operator}', 'multica_event_log', 'DELETE', '{}'),
    ('{reader,daemon,operator}', 'multica_event_log_id_seq', 'SELECT', '{}'),
    ('{reader,operator}', 'multica_event_reader', 'SELECT', '{reader,last_id,created_at,taken_at}'),
    ('{reader,operator}', 'multica_event_reader', 'INSERT', '{reader,last_id,created_at,taken_at}'),
    ('{reader,operator}', 'multica_event_reader', 'UPDATE', '{last_id,taken_at}'),
    ('{reader,operator}', 'multica_event_reader', 'DELETE', '{}'),
    ('{reader,operator}', 'multica_sweep_state', 'SELECT', '{}'),
    (
        '{operator}', 'multica_sweep_state', 'UPDATE',
        '{last_sweep_at,last_sweep_ms,runtimes_offline,tasks_failed,tasks_timed_out,tasks_retried,issues_reset,'
        'agents_reconciled,runtimes_deleted,last_error,last_error_at,refused_ids,refused_until,events_trimmed_to,'
        'refused_event_ids}'
    ),
    ('{reader,operator}', 'multica_sweep_total', 'SELECT', '{}'),
    (
        '{operator}', 'multica_sweep_total', 'INSERT',
        '{since,sweeps,runtimes_offline,tasks_failed,tasks_timed_out,tasks_retried,issues_reset,agents_reconciled,runtimes_deleted}'
    ),
    (
        '{operator}', 'multica_sweep_total', 'UPDATE',
        '{sweeps,runtimes_offline,tasks_failed,tasks_timed_out,tasks_retried,issues_reset,agents_reconciled,runtimes_deleted}'
    )
),
place AS (
    SELECT n.oid, n.nspname FROM pg_namespace AS n WHERE n.oid = $3
),
whole AS (
    SELECT
        format('GRANT %s ON TABLE %I.%I TO %s;', w.privilege, p.nspname, w.relation, $1::regrole) AS statement,
        c.relowner
    FROM place AS p
    CROSS JOIN needed AS w
    LEFT JOIN pg_class AS c ON c.relnamespace = p.oid AND c.relname::text = w.relation
    WHERE $2 = ANY (w.capabilities)
        AND cardinality(w.columns) = 0
        AND ($4 OR c.oid IS NOT NULL)
        AND NOT ($4 AND c.oid IS NOT NULL AND has_table_privilege($1, c.oid, w.privilege))
),
part AS (
    SELECT
        format(
            'GRANT %s (%s) ON TABLE %I.%I TO %s;', w.privilege, string_agg(format('%I', k.name), ', ' ORDER BY k.name),
            p.nspname, w.relation, $1::regrole
        ) AS statement,
        min(c.relowner::bigint)::oid AS relowner
    FROM place AS p
    CROSS JOIN needed AS w
    CROSS JOIN LATERAL unnest(w.columns) AS k (name)
    LEFT JOIN pg_class AS c ON c.relnamespace = p.oid AND c.relname::text = w.relation
    LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname::text = k.name AND NOT a.attisdropped
    WHERE $2 = ANY (w.capabilities)
        AND (a.attnum IS NOT NULL OR ($4 AND k.name <> ALL ('{kind,prepare_lease_expires_at,wait_reason}')))
        AND NOT ($4 AND a.attnum IS NOT NULL AND has_column_privilege($1, c.oid, a.attnum, w.privilege))
    GROUP BY w.privilege, p.nspname, w.relation
)
SELECT string_agg(g.statement, E'\n' ORDER BY g.statement), COALESCE(bool_and(g.relowner IS NULL OR pg_has_role(g.relowner, 'USAGE')), true)
FROM (SELECT * FROM whole UNION ALL SELECT * FROM part) AS g
