-- Inserts $1 events like those that tasks record.
INSERT INTO multica_event_log (created_at, type, workspace_id, payload)
SELECT now(), (ARRAY['task:queued', 'task:dispatch', 'agent:status', 'task:completed'])[1 + n % 4], w.id,
       jsonb_build_object('task_id', gen_random_uuid(), 'agent_id', gen_random_uuid(), 'runtime_id', gen_random_uuid(),
                          'issue_id', NULL, 'chat_session_id', NULL, 'parent_task_id', NULL, 'status', 'completed',
                          'attempt', 1, 'max_attempts', 2)
FROM workspace AS w CROSS JOIN generate_series(1, $1::bigint) AS n
