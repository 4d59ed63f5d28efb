-- Lets the silence of runtimes begin now whose last heartbeat is in the future. The caller has locked them.
UPDATE agent_runtime AS r
SET last_seen_at = CASE WHEN r.last_seen_at IS NOT NULL THEN $2 END, updated_at = $2
WHERE r.id = ANY ($1)
