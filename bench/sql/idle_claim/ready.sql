-- Every runtime is alive, and a claim has no sign of life to leave for hours.
SET multica.stale_after = '1d';
UPDATE agent_runtime SET last_seen_at = now()
