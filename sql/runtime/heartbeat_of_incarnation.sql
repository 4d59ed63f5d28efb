-- As heartbeat.sql, for a process that passes its incarnation $3. If another process has registered the runtime, nothing is written.
UPDATE agent_runtime AS r
SET
    -- without redis_era
    --| updated_at = $2,
    -- end redis_era
    status = 'online',
    last_seen_at = $2
WHERE r.id = $1
  AND r.status = 'online'
  AND (SELECT i.incarnation <> $3 FROM multica_runtime_incarnation AS i WHERE i.runtime_id = $1) IS NOT TRUE
RETURNING r.*
