UPDATE job SET status = 'completed', completed_at = now(), result = '{"ok": true}'
WHERE id = :id AND status = 'running'
RETURNING id
