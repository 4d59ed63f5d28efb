-- Returns the statements that grant or revoke the privileges of role $1 on the tables in schema $3 that the calls of capability
-- $2 need if they run with the privileges of their caller, and whether the caller may run these statements. $4: "all" grants all
-- on the existing tables and columns; "lacking" grants those of them that the role lacks; "held" revokes those that the owner of the
-- table granted to the role. A row lock needs UPDATE on some column; if no other column is written, the list has the time of the
-- row. The columns with which an agent is started (for example custom_env and mcp_config) are in no list. A daemon needs DELETE on
-- runtimes, because a daemon that registers under a new identity replaces its old runtimes. Only runtimes of profiles change their
-- provider.
WITH needed (capabilities, relation, privilege, columns) AS (
    VALUES
    ('{daemon,operator}'::text[], 'workspace', 'SELECT', '{id}'::text[]),
    ('{daemon,operator}', 'workspace', 'UPDATE', '{updated_at}'),
    ('{operator}', 'workspace', 'SELECT', '{attribution_fail_closed}'),
    ('{reader,daemon,operator}', 'agent_runtime', 'SELECT', '{}'),
    (
        '{daemon,operator}', 'agent_runtime', 'INSERT',
        '{workspace_id,daemon_id,name,runtime_mode,provider,status,device_info,metadata,owner_id,last_seen_at,created_at,updated_at,'
        'profile_id,custom_name}'
    ),
    (
        '{daemon,operator}', 'agent_runtime', 'UPDATE',
        '{name,runtime_mode,provider,status,device_info,metadata,owner_id,last_seen_at,updated_at,legacy_daemon_id,'
        'custom_name,visibility}'
    ),
    ('{daemon,operator}', 'agent_runtime', 'DELETE', '{}'),
    ('{daemon,operator}', 'runtime_profile', 'SELECT', '{id,workspace_id,display_name,protocol_family,enabled}'),
    ('{daemon,operator}', 'runtime_profile', 'UPDATE', '{updated_at}'),
    ('{reader}', 'agent', 'SELECT', '{id,workspace_id,runtime_id,archived_at,kind}'),
    (
        '{daemon,operator}', 'agent', 'SELECT',
        '{id,workspace_id,runtime_id,name,description,avatar_url,runtime_mode,runtime_config,visibility,status,'
        'max_concurrent_tasks,owner_id,created_at,updated_at,archived_at,archived_by,kind}'
    ),
    ('{daemon,operator}', 'agent', 'UPDATE', '{runtime_id,status,updated_at}'),
    ('{operator}', 'agent', 'DELETE', '{}'),
    -- feature system_agents
    ('{daemon,operator}', 'agent', 'SELECT', '{system_key}'),
    ('{daemon,operator}', 'agent', 'UPDATE', '{system_key,archived_at}'),
    ('{daemon,operator}', 'chat_session', 'UPDATE', '{agent_id}'),
    ('{daemon,operator}', 'agent_task_queue', 'UPDATE', '{agent_id}'),
    ('{daemon,operator}', 'task_token', 'SELECT', '{agent_id}'),
    ('{daemon,operator}', 'task_token', 'UPDATE', '{agent_id}'),
    -- end system_agents
    -- feature squad
    ('{operator}', 'squad', 'SELECT', '{id,workspace_id,leader_id,archived_at}'),
    -- end squad
    -- feature unbound
    -- without own
    --| ('{operator}', 'autopilot', 'SELECT', '{}'),
    --| ('{operator}', 'autopilot', 'UPDATE', '{status,pause_reason,updated_at}'),
    --| ('{operator}', 'squad_member', 'SELECT', '{member_type,member_id}'),
    --| ('{operator}', 'squad_member', 'DELETE', '{}'),
    -- end own
    -- end unbound
    ('{reader}', 'issue', 'SELECT', '{id,workspace_id}'),
    ('{daemon,operator}', 'issue', 'SELECT', '{}'),
    ('{daemon,operator}', 'issue', 'UPDATE', '{status,first_executed_at,updated_at,revision,last_activity_at}'),
    ('{daemon,operator}', 'issue_status', 'SELECT', '{workspace_id,key,category,archived_at}'),
    ('{daemon}', 'comment', 'SELECT', '{id}'),
    ('{daemon}', 'agent_task_queue', 'UPDATE', '{coalesced_comment_ids}'),
    ('{operator}', 'comment', 'SELECT', '{id,issue_id,workspace_id,content}'),
    ('{daemon,operator}', 'comment', 'UPDATE', '{updated_at}'),
    ('{reader,daemon,operator}', 'chat_session', 'SELECT', '{id,workspace_id,session_id,work_dir,runtime_id,agent_id}'),
    ('{operator}', 'chat_session', 'SELECT', '{status}'),
    -- feature channel_message
    ('{operator}', 'chat_message', 'SELECT', '{chat_session_id,role,created_at,channel_ingested}'),
    -- end channel_message
    ('{daemon,operator}', 'chat_session', 'UPDATE', '{session_id,work_dir,updated_at,runtime_id}'),
    -- feature chat_input
    ('{daemon,operator}', 'chat_message', 'SELECT', '{id,chat_session_id,role,task_id,created_at}'),
    ('{daemon,operator}', 'chat_message', 'UPDATE', '{created_at}'),
    -- end chat_input
    ('{reader,daemon,operator}', 'autopilot', 'SELECT', '{id,workspace_id}'),
    ('{operator}', 'autopilot', 'SELECT', '{assignee_type,assignee_id,priority}'),
    ('{reader,daemon,operator}', 'autopilot_run', 'SELECT', '{id,autopilot_id}'),
    ('{daemon,operator}', 'autopilot_run', 'SELECT', '{status,issue_id,quota_reservation_id}'),
    ('{operator}', 'autopilot_run', 'SELECT', '{task_id}'),
    ('{daemon,operator}', 'autopilot_run', 'UPDATE', '{status,completed_at,result,failure_reason}'),
    ('{operator}', 'autopilot_run', 'SELECT', '{squad_id}'),
    ('{operator}', 'autopilot_run', 'UPDATE', '{task_id,squad_id}'),
    ('{daemon,operator}', 'autopilot_quota_reservation', 'SELECT', '{id,workspace_id,period_start,period_end,state}'),
    ('{daemon,operator}', 'autopilot_quota_reservation', 'UPDATE', '{state,finalized_at}'),
    (
        '{daemon,operator}', 'autopilot_quota_period', 'SELECT',
        '{workspace_id,period_start,period_end,used_count,reserved_count}'
    ),
    ('{daemon,operator}', 'autopilot_quota_period', 'UPDATE', '{used_count,reserved_count}'),
    ('{daemon,operator}', 'task_token', 'SELECT', '{id,task_id}'),
    ('{daemon,operator}', 'task_token', 'UPDATE', '{expires_at}'),
    ('{daemon,operator}', 'task_token', 'DELETE', '{}'),
    ('{reader,daemon,operator}', 'agent_task_queue', 'SELECT', '{}'),
    (
        '{daemon,operator}', 'agent_task_queue', 'INSERT',
        '{agent_id,runtime_id,issue_id,chat_session_id,autopilot_run_id,trigger_comment_id,priority,context,session_id,'
        'work_dir,max_attempts,attempt,parent_task_id,status,created_at,trigger_summary,force_fresh_session,is_leader_task,'
        'squad_id,fire_at,originator_user_id,accountable_user_id,coalesced_comment_ids,chat_input_task_id,originator_source,'
        'delegated_from_task_id,retry_of_task_id,rule_version_id,trigger_evidence_kind,trigger_evidence_ref_id,'
        'channel_context_revision}'
    ),
    (
        '{daemon,operator}', 'agent_task_queue', 'UPDATE',
        '{runtime_id,status,dispatched_at,started_at,completed_at,result,error,failure_reason,session_id,work_dir,'
        'last_heartbeat_at,prepare_lease_expires_at,wait_reason,branch_name,durable_work_dir,retired_session_id,'
        'session_rollout_missing,delivered_comment_ids}'
    ),
    ('{operator}', 'agent_task_queue', 'INSERT', '{id,rerun_of_task_id,escalation_for_task_id,initiator_user_id}'),
    (
        '{operator}', 'agent_task_queue', 'UPDATE',
        '{trigger_comment_id,coalesced_comment_ids,trigger_summary,context,is_leader_task,squad_id,originator_user_id,'
        'accountable_user_id,originator_source,delegated_from_task_id,rule_version_id,trigger_evidence_kind,'
        'trigger_evidence_ref_id,initiator_user_id,runtime_mcp_overlay,runtime_connected_apps}'
    ),
    -- feature redis_era
    ('{operator}', 'agent_task_queue', 'UPDATE', '{fire_at}'),
    -- end redis_era
    ('{reader,operator}', 'multica_event_log', 'SELECT', '{}'),
    ('{daemon,operator}', 'multica_event_log', 'INSERT', '{created_at,type,workspace_id,payload}'),
    ('{operator}', 'multica_event_log', 'UPDATE', '{created_at}'),
    ('{operator}', 'multica_event_log', 'DELETE', '{}'),
    ('{reader,daemon,operator}', 'multica_event_log_id_seq', 'SELECT', '{}'),
    ('{reader,operator}', 'multica_event_reader', 'SELECT', '{reader,last_id,created_at,taken_at}'),
    ('{reader,operator}', 'multica_event_reader', 'INSERT', '{reader,last_id,created_at,taken_at}'),
    ('{reader,operator}', 'multica_event_reader', 'UPDATE', '{last_id,taken_at}'),
    ('{reader,operator}', 'multica_event_reader', 'DELETE', '{}'),
    ('{daemon,operator}', 'multica_runtime_incarnation', 'SELECT', '{}'),
    ('{daemon,operator}', 'multica_runtime_incarnation', 'INSERT', '{runtime_id,incarnation,registered_at}'),
    ('{daemon,operator}', 'multica_runtime_incarnation', 'UPDATE', '{incarnation,registered_at,replaced}'),
    ('{operator}', 'multica_runtime_incarnation', 'DELETE', '{}'),
    ('{daemon,operator}', 'multica_task_incarnation', 'SELECT', '{}'),
    ('{daemon,operator}', 'multica_task_incarnation', 'INSERT', '{task_id,incarnation,claimed_at,resumed_task_id}'),
    ('{daemon,operator}', 'multica_task_incarnation', 'UPDATE', '{incarnation,claimed_at,resumed_task_id}'),
    ('{operator}', 'multica_task_incarnation', 'DELETE', '{}'),
    ('{daemon,operator}', 'multica_task_unnamed', 'SELECT', '{}'),
    ('{daemon,operator}', 'multica_task_unnamed', 'INSERT', '{task_id,runtime_id,claimed_at,missed_at}'),
    ('{daemon,operator}', 'multica_task_unnamed', 'UPDATE', '{claimed_at,missed_at,confirmed_at}'),
    ('{daemon,operator}', 'multica_task_unnamed', 'DELETE', '{}'),
    ('{daemon,operator}', 'multica_task_progress', 'SELECT', '{}'),
    ('{daemon,operator}', 'multica_task_progress', 'INSERT', '{task_id,progress,recorded_at}'),
    ('{daemon,operator}', 'multica_task_progress', 'UPDATE', '{progress,recorded_at}'),
    -- without task_beat
    --| ('{daemon,operator}', 'multica_task_progress', 'INSERT', '{signed_at}'),
    --| ('{daemon,operator}', 'multica_task_progress', 'UPDATE', '{signed_at}'),
    -- end task_beat
    ('{operator}', 'multica_task_progress', 'DELETE', '{}'),
    ('{daemon,operator}', 'multica_runtime_return', 'SELECT', '{}'),
    ('{daemon,operator}', 'multica_runtime_return', 'INSERT', '{runtime_id,returned_at}'),
    ('{daemon,operator}', 'multica_runtime_return', 'UPDATE', '{returned_at}'),
    ('{operator}', 'multica_runtime_return', 'DELETE', '{}'),
    ('{reader,operator}', 'multica_sweep_state', 'SELECT', '{}'),
    (
        '{operator}', 'multica_sweep_state', 'UPDATE',
        '{last_sweep_at,last_sweep_ms,runtimes_offline,tasks_failed,tasks_timed_out,tasks_retried,issues_reset,'
        'agents_reconciled,runtimes_deleted,last_error,last_error_at,refused_ids,refused_until,events_trimmed_to,'
        'refused_event_ids,held_since,timeline,finished_to,finished_id}'
    ),
    ('{reader,daemon,operator}', 'multica_retry_policy', 'SELECT', '{}'),
    ('{daemon,operator}', 'multica_claim_limit', 'SELECT', '{scope,key,max_in_flight}'),
    ('{daemon,operator}', 'multica_claim_limit', 'UPDATE', '{max_in_flight}'),
    ('{daemon,operator}', 'multica_claim_limit', 'INSERT', '{scope,key,max_in_flight}'),
    ('{operator}', 'multica_claim_limit', 'DELETE', '{}'),
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
item AS (
    SELECT
        p.nspname,
        w.relation,
        w.privilege,
        k.name AS col,
        c.relowner,
        CASE WHEN k.name IS NULL THEN c.relacl ELSE a.attacl END AS acl,
        c.oid IS NOT NULL AND (k.name IS NULL OR a.attnum IS NOT NULL) AS is_there,
        CASE
            WHEN k.name IS NULL THEN has_table_privilege($1, c.oid, w.privilege)
            ELSE has_column_privilege($1, c.oid, a.attnum, w.privilege)
        END AS is_usable
    FROM place AS p
    CROSS JOIN needed AS w
    LEFT JOIN LATERAL unnest(w.columns) AS k (name) ON true
    LEFT JOIN pg_class AS c ON c.relnamespace = p.oid AND c.relname::text = w.relation
    LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname::text = k.name AND NOT a.attisdropped
    WHERE $2 = ANY (w.capabilities)
        AND (
            w.privilege <> 'UPDATE'
            OR k.name IS DISTINCT FROM 'provider'
            OR EXISTS (
                SELECT FROM pg_attribute AS f
                WHERE f.attrelid = c.oid AND f.attname::text = 'profile_id' AND NOT f.attisdropped
            )
        )
),
chosen AS (
    SELECT i.nspname, i.relation, i.privilege, i.relowner, string_agg(quote_ident(i.col), ', ' ORDER BY i.col) AS cols
    FROM item AS i
    WHERE CASE $4
        WHEN 'all' THEN i.is_there
        WHEN 'lacking' THEN i.is_there AND NOT i.is_usable
        ELSE i.is_there AND EXISTS (
            SELECT FROM aclexplode(i.acl) AS x
            WHERE x.grantee = $1 AND x.grantor = i.relowner AND x.privilege_type = i.privilege
        )
    END
    GROUP BY i.nspname, i.relation, i.privilege, i.relowner, i.col IS NULL
),
said AS (
    SELECT
        format(
            CASE $4 WHEN 'held' THEN 'REVOKE %s ON TABLE %I.%I FROM %s;' ELSE 'GRANT %s ON TABLE %I.%I TO %s;' END,
            concat(c.privilege, ' (' || c.cols || ')'), c.nspname, c.relation, $1::regrole
        ) AS statement,
        c.relowner
    FROM chosen AS c
)
SELECT
    string_agg(s.statement, E'\n' ORDER BY s.statement),
    COALESCE(bool_and(s.relowner IS NULL OR pg_has_role(s.relowner, 'USAGE')), true)
FROM said AS s
