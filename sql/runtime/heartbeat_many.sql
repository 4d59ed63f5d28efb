-- The ordinary beats of online runtimes, each written when its turn comes and not locked beforehand; in the order of the
-- ids, because the planner is offered nothing else. What is not online, or no longer when a sweep commits, is passed over.
UPDATE agent_runtime AS r
SET status = 'online', last_seen_at = $2, updated_at = $2
WHERE r.id = ANY ($1) AND r.status = 'online'
