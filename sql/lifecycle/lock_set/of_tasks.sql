-- Returns every row that a verdict on the tasks $1 writes, or that their retries refer to: a retry waits on the runtime to which the
-- agent is bound, and the run of an issue may end with a task of the issue. Any column may be NULL, because adopted tables may lack
-- NOT NULL.
SELECT
    pg_catalog.array_agg(DISTINCT t.runtime_id) FILTER (WHERE t.runtime_id IS NOT NULL)
    || pg_catalog.array_agg(DISTINCT a.runtime_id) FILTER (WHERE a.runtime_id IS NOT NULL) AS runtimes,
    pg_catalog.array_agg(DISTINCT t.chat_session_id) FILTER (WHERE t.chat_session_id IS NOT NULL) AS chat_sessions,
    pg_catalog.array_agg(DISTINCT t.agent_id) FILTER (WHERE t.agent_id IS NOT NULL) AS agents,
    pg_catalog.array_agg(DISTINCT t.issue_id) FILTER (WHERE t.issue_id IS NOT NULL) AS issues,
    pg_catalog.array_agg(DISTINCT t.autopilot_run_id) FILTER (WHERE t.autopilot_run_id IS NOT NULL)
    || ARRAY(
        SELECT r.id
        FROM agent_task_queue AS u
        JOIN autopilot_run AS r ON r.issue_id = u.issue_id
        WHERE u.id = ANY ($1) AND r.status IN ('issue_created', 'running')
    ) AS autopilot_runs,
    pg_catalog.array_agg(DISTINCT t.trigger_comment_id) FILTER (WHERE t.trigger_comment_id IS NOT NULL) AS comments
FROM agent_task_queue AS t
LEFT JOIN agent AS a ON a.id = t.agent_id
WHERE t.id = ANY ($1)
