UPDATE job SET status = 'completed', completed_at = now(), result = '{"ok": true}'
WHERE id = ANY (:ids) AND status = 'running'
RETURNING id
