-- As verdict/outcome.sql, with what a server of today has besides. A retry is due a second later, or as soon as its runtime is back.
SELECT md5(string_agg(line, E'\n' ORDER BY line))
FROM (
    SELECT concat_ws('|', CASE WHEN parent_task_id IS NULL THEN id END, parent_task_id, retry_of_task_id, status, failure_reason,
                     error, attempt, max_attempts, priority, session_id, work_dir, completed_at IS NULL, fire_at IS NULL,
                     prepare_lease_expires_at, wait_reason, originator_user_id, accountable_user_id, originator_source,
                     trigger_evidence_kind, force_fresh_session) AS line
    FROM agent_task_queue
    UNION ALL
    SELECT concat_ws('|', id, status, revision, last_activity_at IS NULL) FROM issue
    UNION ALL
    SELECT concat_ws('|', id, status) FROM agent
    UNION ALL
    SELECT concat_ws('|', id, status) FROM agent_runtime
    UNION ALL
    SELECT concat_ws('|', 'token', task_id) FROM task_token
) AS lines
