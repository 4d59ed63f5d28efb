-- Every runtime is online, and stale_after is so long that claims have no heartbeat to write for hours.
SET multica.stale_after = '1d';
UPDATE agent_runtime SET last_seen_at = now()
