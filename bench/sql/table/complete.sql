UPDATE agent_task_queue
SET status = 'completed', completed_at = now(), result = '{"ok": true}', session_id = 'session', work_dir = '/srv'
WHERE id = :id AND status = 'running'
RETURNING id
