-- Records the heartbeats of online runtimes. Each row is locked only when it is written, in the order of the ids, because the
-- planner has no other choice. A runtime that is not online, or is no longer online when a sweep commits, is skipped.
UPDATE agent_runtime AS r
SET status = 'online', last_seen_at = $2, updated_at = $2
WHERE r.id = ANY ($1) AND r.status = 'online'
