UPDATE agent_runtime SET status = 'offline', updated_at = now()
WHERE status = 'online' AND last_seen_at < now() - interval '45 seconds'
RETURNING id, workspace_id
