-- Records a heartbeat of runtimes that the caller has locked. Why updated_at is not always written: see runtime/heartbeat.sql.
UPDATE agent_runtime AS r
SET
    -- feature redis_era
    updated_at = CASE WHEN r.status = 'online' THEN r.updated_at ELSE $2 END,
    -- end redis_era
    -- without redis_era
    --| updated_at = $2,
    -- end redis_era
    status = 'online',
    last_seen_at = $2
WHERE r.id = ANY ($1)
RETURNING r.id, r.workspace_id
