-- The rows that functions return. They are flat, and attributes are added only at the end, so that a new installation and an
-- updated one are equal.

CREATE TYPE @extschema@.multica_runtime AS (
    id uuid, workspace_id uuid, daemon_id text, name text, runtime_mode text, provider text, status text,
    device_info text, metadata jsonb, owner_id uuid, last_seen_at timestamptz, legacy_daemon_id text,
    created_at timestamptz, updated_at timestamptz,
    visibility text, profile_id uuid, custom_name text
);

CREATE TYPE @extschema@.multica_registered AS (
    id uuid, workspace_id uuid, daemon_id text, name text, runtime_mode text, provider text, status text,
    device_info text, metadata jsonb, owner_id uuid, last_seen_at timestamptz, legacy_daemon_id text,
    created_at timestamptz, updated_at timestamptz,
    inserted boolean, merged bigint, not_merged bigint,
    visibility text, profile_id uuid, custom_name text
);

CREATE TYPE @extschema@.multica_beat AS (
    id uuid, workspace_id uuid, daemon_id text, name text, runtime_mode text, provider text, status text,
    device_info text, metadata jsonb, owner_id uuid, last_seen_at timestamptz, legacy_daemon_id text,
    created_at timestamptz, updated_at timestamptz,
    stop_task_ids uuid[],
    visibility text, profile_id uuid, custom_name text,
    resume_task_ids uuid[]
);

CREATE TYPE @extschema@.multica_runtime_ref AS (runtime_id uuid, workspace_id uuid);

CREATE TYPE @extschema@.multica_runtime_deleted AS (
    agents_deleted bigint, tasks_deleted bigint, tasks_kept bigint, agents_unbound bigint, autopilots_paused bigint
);

CREATE TYPE @extschema@.multica_merged AS (
    runtime_id uuid, merged bigint, agents_reassigned bigint, tasks_reassigned bigint, not_merged bigint
);

CREATE TYPE @extschema@.multica_task AS (
    id uuid, agent_id uuid, runtime_id uuid, issue_id uuid, chat_session_id uuid, autopilot_run_id uuid,
    trigger_comment_id uuid, status text, priority integer, attempt integer, max_attempts integer,
    parent_task_id uuid, failure_reason text, error text, context jsonb, result jsonb, session_id text,
    work_dir text, dispatched_at timestamptz, started_at timestamptz, completed_at timestamptz,
    last_heartbeat_at timestamptz, created_at timestamptz,
    prepare_lease_expires_at timestamptz, wait_reason text, fire_at timestamptz, chat_input_task_id uuid,
    retry_of_task_id uuid, rerun_of_task_id uuid, force_fresh_session boolean, squad_id uuid, is_leader_task boolean,
    originator_user_id uuid, accountable_user_id uuid, delegated_from_task_id uuid, coalesced_comment_ids uuid[],
    retired_session_id text, session_rollout_missing boolean, durable_work_dir text, branch_name text
);

CREATE TYPE @extschema@.multica_swept AS (
    runtimes_offline bigint, tasks_failed bigint, tasks_timed_out bigint, tasks_retried bigint,
    issues_reset bigint, agents_reconciled bigint, runtimes_deleted bigint, more boolean
);

CREATE TYPE @extschema@.multica_recovered AS (orphaned bigint, retried bigint);

CREATE TYPE @extschema@.multica_consequences AS (retried bigint, issues_reset bigint, agents_reconciled bigint);

CREATE TYPE @extschema@.multica_event AS (
    id bigint, created_at timestamptz, type text, workspace_id uuid, payload jsonb
);

CREATE TYPE @extschema@.multica_install_step AS (object text, action text, ddl text);

CREATE TYPE @extschema@.multica_enqueued AS (task_id uuid, created boolean, outcome text);

CREATE TYPE @extschema@.multica_claimed AS (
    id uuid, agent_id uuid, runtime_id uuid, issue_id uuid, chat_session_id uuid, autopilot_run_id uuid,
    trigger_comment_id uuid, status text, priority integer, attempt integer, max_attempts integer,
    parent_task_id uuid, failure_reason text, error text, context jsonb, result jsonb, session_id text,
    work_dir text, dispatched_at timestamptz, started_at timestamptz, completed_at timestamptz,
    last_heartbeat_at timestamptz, created_at timestamptz,
    workspace_id uuid, prior_session_id text, prior_work_dir text, claim_token bigint,
    prepare_lease_expires_at timestamptz, wait_reason text, fire_at timestamptz, chat_input_task_id uuid,
    retry_of_task_id uuid, rerun_of_task_id uuid, force_fresh_session boolean, squad_id uuid, is_leader_task boolean,
    originator_user_id uuid, accountable_user_id uuid, delegated_from_task_id uuid, coalesced_comment_ids uuid[],
    retired_session_id text, session_rollout_missing boolean, durable_work_dir text, branch_name text
);

CREATE TYPE @extschema@.multica_transition AS (
    id uuid, agent_id uuid, runtime_id uuid, issue_id uuid, chat_session_id uuid, autopilot_run_id uuid,
    trigger_comment_id uuid, status text, priority integer, attempt integer, max_attempts integer,
    parent_task_id uuid, failure_reason text, error text, context jsonb, result jsonb, session_id text,
    work_dir text, dispatched_at timestamptz, started_at timestamptz, completed_at timestamptz,
    last_heartbeat_at timestamptz, created_at timestamptz,
    applied boolean, retry_task_id uuid, first_execution boolean,
    prepare_lease_expires_at timestamptz, wait_reason text, fire_at timestamptz, chat_input_task_id uuid,
    retry_of_task_id uuid, rerun_of_task_id uuid, force_fresh_session boolean, squad_id uuid, is_leader_task boolean,
    originator_user_id uuid, accountable_user_id uuid, delegated_from_task_id uuid, coalesced_comment_ids uuid[],
    retired_session_id text, session_rollout_missing boolean, durable_work_dir text, branch_name text
);

CREATE TYPE @extschema@.multica_session AS (session_id text, work_dir text);

CREATE TYPE @extschema@.multica_status_report AS (
    preloaded boolean, sweep text, stale_after interval, offline_grace interval, launcher_pid integer,
    last_sweep_at timestamptz, last_sweep_ms double precision, last_runtimes_offline bigint, last_tasks_failed bigint,
    last_tasks_timed_out bigint, last_tasks_retried bigint, last_issues_reset bigint, last_agents_reconciled bigint,
    last_runtimes_deleted bigint, last_error text, last_error_at timestamptz, refused_ids uuid[],
    runtimes_online bigint, runtimes_offline bigint, tasks_queued bigint, tasks_dispatched bigint,
    tasks_running bigint, tasks_unclaimable bigint, oldest_queued_secs double precision, events_kept bigint,
    events_held bigint, events_held_since timestamptz, slowest_reader text, slowest_reader_behind bigint,
    total_sweeps bigint, total_runtimes_offline bigint, total_tasks_failed bigint, total_tasks_timed_out bigint,
    total_tasks_retried bigint, total_issues_reset bigint, total_agents_reconciled bigint,
    total_runtimes_deleted bigint, totals_since timestamptz, refused_event_ids bigint[], event_log_trouble text,
    tasks_waiting bigint, tasks_deferred bigint, features text[], indexes_missing text[], table_grants text[],
    stale_after_source text, offline_grace_source text, queued_ttl interval, queued_ttl_source text,
    finish_after interval, stages_off text[], verdicts_held_until timestamptz, verdicts_held_because text,
    lost_after interval, idle_timeout interval
);

CREATE TYPE @extschema@.multica_metric AS (name text, labels jsonb, value double precision);

CREATE TYPE @extschema@.multica_reader AS (
    reader text, last_id bigint, behind bigint, created_at timestamptz, taken_at timestamptz
);

CREATE TYPE @extschema@.multica_retry_rule AS (
    reason text, is_retried boolean, max_attempts integer, delay_secs double precision, delay_from_attempt integer,
    backoff_factor double precision, jitter double precision, keeps_session boolean, waits_for_runtime boolean,
    unsafe_to_resume boolean, is_changed boolean
);
