UPDATE job SET status = 'running', started_at = now() WHERE id = :id AND status = 'dispatched' RETURNING id
