-- Records the heartbeat of an online runtime, in one index lookup. A runtime that a sweep is just setting offline no longer matches
-- when the sweep commits, and is written by lifecycle/liveness/mark_online.sql. A server that keeps heartbeats in Redis does not
-- write updated_at here: it reads from it when the status last changed.
UPDATE agent_runtime AS r
SET
    -- without redis_era
    --| updated_at = $2,
    -- end redis_era
    status = 'online',
    last_seen_at = $2
WHERE r.id = $1 AND r.status = 'online'
RETURNING r.*
