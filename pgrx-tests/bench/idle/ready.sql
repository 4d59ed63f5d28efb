UPDATE agent_runtime SET last_seen_at = now() + interval '1 day';
VACUUM (ANALYZE) agent_runtime
