-- Records the heartbeats of online runtimes. Each row is locked only when it is written, in the order of the ids, because the
-- planner has no other choice. A runtime that is not online, or is no longer online when a sweep commits, is skipped. Why
-- updated_at is not always written: see heartbeat.sql.
UPDATE agent_runtime AS r
SET
    -- without redis_era
    --| updated_at = $2,
    -- end redis_era
    status = 'online',
    last_seen_at = $2
WHERE r.id = ANY ($1) AND r.status = 'online'
