-- Every runtime is alive, and has been looked at: a claim has no sign of life to leave.
UPDATE agent_runtime SET last_seen_at = now() + interval '1 hour'
