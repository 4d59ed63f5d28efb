-- Runtimes that the caller has locked and that were seen later than now: their silence begins now.
UPDATE agent_runtime AS r
SET last_seen_at = CASE WHEN r.last_seen_at IS NOT NULL THEN $2 END, updated_at = $2
WHERE r.id = ANY ($1)
