SET multica.stale_after = '1d';
UPDATE agent_runtime SET last_seen_at = now();
VACUUM (ANALYZE) agent_runtime
