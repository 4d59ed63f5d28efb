UPDATE job SET status = 'dispatched', dispatched_at = now()
WHERE id = ANY (ARRAY(SELECT id FROM job WHERE status = 'queued' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED))
RETURNING id
