-- The ordinary heartbeats of online runtimes, each written when its turn comes and not locked before; in the order of the ids,
-- because the planner has no other choice. A runtime that is not online, or no longer when a sweep commits, is skipped.
UPDATE agent_runtime AS r
SET status = 'online', last_seen_at = $2, updated_at = $2
WHERE r.id = ANY ($1) AND r.status = 'online'
