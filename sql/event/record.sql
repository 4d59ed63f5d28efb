-- All events of a call in one insert, in the order given. $3 type, $4 the row it is about (a task, agent, issue, autopilot
-- run, or for daemon:register a workspace), $5 what the caller alone knows, as a JSON object. The state told is that of
-- the tables now, at the end of the call.
INSERT INTO multica_event_log (created_at, type, workspace_id, payload)
SELECT
    $1,
    e.type,
    COALESCE(
        e.workspace_id, a.workspace_id, i.workspace_id,
        (SELECT o.workspace_id FROM issue AS o WHERE o.id = t.issue_id),
        (SELECT o.workspace_id FROM chat_session AS o WHERE o.id = t.chat_session_id),
        (SELECT o.workspace_id FROM autopilot_run AS q JOIN autopilot AS o ON o.id = q.autopilot_id
         WHERE q.id = COALESCE(t.autopilot_run_id, r.id)),
        (SELECT o.workspace_id FROM agent AS o WHERE o.id = t.agent_id)
    ),
    CASE
        WHEN t.id IS NOT NULL THEN
            CASE WHEN e.type = 'task:dispatch' AND jsonb_typeof(t.context) = 'object' THEN t.context ELSE '{}' END
            || pg_catalog.jsonb_build_object(
                'task_id', t.id, 'agent_id', t.agent_id, 'issue_id', t.issue_id, 'runtime_id', t.runtime_id,
                'chat_session_id', t.chat_session_id, 'parent_task_id', t.parent_task_id, 'status', t.status,
                'attempt', t.attempt, 'max_attempts', t.max_attempts
            )
            || CASE WHEN e.type = 'task:failed' THEN
                pg_catalog.jsonb_build_object('failure_reason', COALESCE(t.failure_reason, 'agent_error'), 'error', left(t.error, 1000))
                ELSE '{}' END
        WHEN a.id IS NOT NULL THEN
            pg_catalog.jsonb_build_object('agent', pg_catalog.jsonb_build_object(
                'id', a.id, 'workspace_id', a.workspace_id, 'runtime_id', a.runtime_id, 'name', a.name,
                'description', a.description, 'avatar_url', a.avatar_url, 'runtime_mode', a.runtime_mode,
                'runtime_config', a.runtime_config, 'visibility', a.visibility, 'status', a.status,
                'max_concurrent_tasks', a.max_concurrent_tasks, 'owner_id', a.owner_id, 'skills', '[]'::jsonb,
                'created_at', a.created_at, 'updated_at', a.updated_at,
                'archived_at', a.archived_at, 'archived_by', a.archived_by
            ))
        WHEN i.id IS NOT NULL THEN
            pg_catalog.jsonb_build_object('issue', pg_catalog.to_jsonb(i), 'status_changed', true)
        WHEN r.id IS NOT NULL THEN
            pg_catalog.jsonb_build_object('run_id', r.id, 'autopilot_id', r.autopilot_id, 'status', r.status)
        WHEN e.detail ->> 'action'::text = 'register' THEN
            pg_catalog.jsonb_build_object('runtimes', (
                SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(n) ORDER BY n.provider, n.id)
                FROM agent_runtime AS n
                WHERE n.id = ANY (ARRAY(SELECT x.id::uuid FROM pg_catalog.jsonb_array_elements_text(e.detail -> 'runtime_ids'::text) AS x (id)))
            ))
        ELSE '{}'
    END
    || e.detail
    || CASE WHEN $2 IS NULL THEN '{}' ELSE pg_catalog.jsonb_build_object('sweep_id', $2) END
FROM (
    SELECT
        u.at, u.type, COALESCE(u.detail::jsonb, '{}') AS detail,
        CASE WHEN starts_with(u.type, 'task:') OR u.type = 'chat:done' THEN u.subject END AS task_id,
        CASE WHEN u.type = 'agent:status' THEN u.subject END AS agent_id,
        CASE WHEN u.type = 'issue:updated' THEN u.subject END AS issue_id,
        CASE WHEN u.type = 'autopilot:run_done' THEN u.subject END AS run_id,
        CASE WHEN u.type = 'daemon:register' THEN u.subject END AS workspace_id
    FROM unnest($3, $4, $5) WITH ORDINALITY AS u (type, subject, detail, at)
) AS e
LEFT JOIN agent_task_queue AS t ON t.id = e.task_id
LEFT JOIN agent AS a ON a.id = e.agent_id
LEFT JOIN issue AS i ON i.id = e.issue_id
LEFT JOIN autopilot_run AS r ON r.id = e.run_id
ORDER BY e.at
