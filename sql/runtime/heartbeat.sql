-- Records the heartbeat of an online runtime, in one index lookup. A runtime that a sweep is just setting offline no longer matches
-- when the sweep commits, and is written by lifecycle/liveness/mark_online.sql.
UPDATE agent_runtime AS r
SET status = 'online', last_seen_at = $2, updated_at = $2
WHERE r.id = $1 AND r.status = 'online'
RETURNING r.*
