-- All events of a call in one insert, in the order given. $3 type, $4 the row it is about (a task, agent, issue, autopilot
-- run, or for daemon:register a workspace), $5 what the caller alone knows, as a JSON object. The state told is that of
-- the tables now, at the end of the call.
INSERT INTO multica_event_log (created_at, type, workspace_id, payload)
SELECT
    $1,
    u.type,
    COALESCE(i.workspace_id, c.workspace_id, p.workspace_id, a.workspace_id, CASE u.type WHEN 'daemon:register' THEN u.subject END),
    CASE
        WHEN t.id IS NOT NULL THEN
            CASE WHEN u.type = 'task:dispatch' AND jsonb_typeof(t.context) = 'object' THEN t.context ELSE '{}' END
            || pg_catalog.jsonb_build_object(
                'task_id', t.id, 'agent_id', t.agent_id, 'issue_id', t.issue_id, 'runtime_id', t.runtime_id,
                'chat_session_id', t.chat_session_id, 'parent_task_id', t.parent_task_id, 'status', t.status,
                'attempt', t.attempt, 'max_attempts', t.max_attempts
            )
            || CASE WHEN u.type = 'task:failed' THEN
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
        WHEN u.detail::jsonb ->> 'action'::text = 'register' THEN
            pg_catalog.jsonb_build_object('runtimes', (
                SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(n) ORDER BY n.provider, n.id)
                FROM agent_runtime AS n
                WHERE n.id = ANY (ARRAY(SELECT x.id::uuid FROM pg_catalog.jsonb_array_elements_text(u.detail::jsonb -> 'runtime_ids'::text) AS x (id)))
            ))
        ELSE '{}'
    END
    || COALESCE(u.detail::jsonb, '{}')
    || CASE WHEN $2 IS NULL THEN '{}' ELSE pg_catalog.jsonb_build_object('sweep_id', $2) END
FROM unnest($3, $4, $5) WITH ORDINALITY AS u (type, subject, detail, at)
LEFT JOIN agent_task_queue AS t ON t.id = u.subject AND (starts_with(u.type, 'task:') OR u.type = 'chat:done')
LEFT JOIN agent AS a ON a.id = CASE u.type WHEN 'agent:status' THEN u.subject ELSE t.agent_id END
LEFT JOIN issue AS i ON i.id = CASE u.type WHEN 'issue:updated' THEN u.subject ELSE t.issue_id END
LEFT JOIN chat_session AS c ON c.id = t.chat_session_id
LEFT JOIN autopilot_run AS r ON r.id = CASE u.type WHEN 'autopilot:run_done' THEN u.subject ELSE t.autopilot_run_id END
LEFT JOIN autopilot AS p ON p.id = r.autopilot_id
ORDER BY u.at
