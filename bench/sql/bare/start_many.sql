UPDATE job SET status = 'running', started_at = now() WHERE id = ANY (:ids) AND status = 'dispatched' RETURNING id
