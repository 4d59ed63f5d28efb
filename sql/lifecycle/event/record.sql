-- Inserts all events of a call, in the given order. $2: the types. $3: the rows that are looked up (an agent, issue, autopilot run,
-- a claimed task with a context, or a workspace for daemon:register), as they are now, at the end of the call. $4 and $5 come from
-- the caller: the workspaces, and the rest as JSON objects. The arrays are expanded in the SELECT list, because a function in FROM
-- would copy them, and the rows are looked up one by one. Therefore the order is kept without a sort of objects that may not fit
-- into memory.
INSERT INTO multica_event_log (created_at, type, workspace_id, payload)
SELECT
    $1,
    u.type,
    COALESCE(
        u.workspace_id,
        a.workspace_id,
        i.workspace_id,
        (SELECT p.workspace_id FROM autopilot AS p WHERE p.id = r.autopilot_id),
        CASE u.type WHEN 'daemon:register' THEN u.subject END
    ),
    CASE
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
            pg_catalog.jsonb_build_object(
                'status_changed', true,
                'issue', pg_catalog.to_jsonb(i)
                -- feature open_status
                || pg_catalog.jsonb_build_object('status_category', COALESCE(
                    (
                        SELECT s.category
                        FROM issue_status AS s
                        WHERE s.workspace_id = i.workspace_id
                          AND s.key = i.status
                          AND s.key NOT IN ('backlog', 'todo', 'in_progress', 'in_review', 'done', 'blocked', 'cancelled')
                    ),
                    i.status
                ))
                -- end open_status
            )
        WHEN r.id IS NOT NULL THEN
            pg_catalog.jsonb_build_object('run_id', r.id, 'autopilot_id', r.autopilot_id, 'status', r.status)
        WHEN u.type = 'daemon:register' AND u.detail::jsonb ->> 'action'::text = 'register' THEN
            pg_catalog.jsonb_build_object('runtimes', (
                SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(n) ORDER BY n.provider, n.id)
                FROM agent_runtime AS n
                WHERE n.id = ANY (ARRAY(
                    SELECT x.id::uuid
                    FROM pg_catalog.jsonb_array_elements_text(u.detail::jsonb -> 'runtime_ids'::text) AS x (id)
                ))
            ))
        WHEN u.type = 'task:dispatch' THEN
            COALESCE(
                (SELECT t.context FROM agent_task_queue AS t WHERE t.id = u.subject AND jsonb_typeof(t.context) = 'object'),
                '{}'
            )
        ELSE '{}'
    END
    || COALESCE(u.detail::jsonb, '{}')
FROM (
    SELECT
        pg_catalog.unnest($2) AS type,
        pg_catalog.unnest($3) AS subject,
        pg_catalog.unnest($4) AS workspace_id,
        pg_catalog.unnest($5) AS detail
) AS u
LEFT JOIN agent AS a ON a.id = CASE u.type WHEN 'agent:status' THEN u.subject END
LEFT JOIN issue AS i ON i.id = CASE u.type WHEN 'issue:updated' THEN u.subject END
LEFT JOIN autopilot_run AS r ON r.id = CASE u.type WHEN 'autopilot:run_done' THEN u.subject END
