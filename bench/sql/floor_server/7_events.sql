INSERT INTO multica_event_log (type, workspace_id, payload)
SELECT 'task:failed', i.workspace_id, jsonb_build_object(
    'task_id', f.id, 'agent_id', f.agent_id, 'issue_id', f.issue_id, 'runtime_id', f.runtime_id,
    'chat_session_id', f.chat_session_id, 'parent_task_id', f.parent_task_id, 'status', f.status, 'attempt', f.attempt,
    'max_attempts', f.max_attempts, 'failure_reason', f.failure_reason, 'error', left(f.error, 1000), 'retry_task_id', r.id,
    'retry_pending', r.id IS NOT NULL, 'sweep_id', s.id)
FROM failed AS f JOIN issue AS i ON i.id = f.issue_id LEFT JOIN retried AS r ON r.parent_task_id = f.id
CROSS JOIN (SELECT gen_random_uuid() AS id) AS s
UNION ALL
SELECT 'issue:updated', i.workspace_id, jsonb_build_object(
    'issue', to_jsonb(i) - 'prev_status' || jsonb_build_object('status_category', i.status), 'status_changed', true,
    'prev_status', i.prev_status, 'sweep_id', s.id)
FROM reset AS i CROSS JOIN (SELECT gen_random_uuid() AS id) AS s
UNION ALL
SELECT 'agent:status', a.workspace_id, jsonb_build_object('agent', jsonb_build_object(
    'id', a.id, 'workspace_id', a.workspace_id, 'runtime_id', a.runtime_id, 'name', a.name, 'description', a.description,
    'avatar_url', a.avatar_url, 'runtime_mode', a.runtime_mode, 'runtime_config', a.runtime_config, 'visibility', a.visibility,
    'status', a.status, 'max_concurrent_tasks', a.max_concurrent_tasks, 'owner_id', a.owner_id, 'skills', '[]'::jsonb,
    'created_at', a.created_at, 'updated_at', a.updated_at, 'archived_at', a.archived_at, 'archived_by', a.archived_by),
    'sweep_id', s.id)
FROM reconciled AS a CROSS JOIN (SELECT gen_random_uuid() AS id) AS s
UNION ALL
SELECT 'daemon:register', m.workspace_id, jsonb_build_object('action', 'stale_sweep', 'runtime_ids', jsonb_agg(m.id),
    'sweep_id', gen_random_uuid())
FROM marked AS m
GROUP BY m.workspace_id
