UPDATE agent_runtime SET last_seen_at = now() + interval '1 day' WHERE last_seen_at < now() + interval '1 hour';
VACUUM (ANALYZE) agent_runtime
