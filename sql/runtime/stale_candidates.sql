-- A runtime whose beat is being written is passed over, and one whose beat arrived meanwhile no longer matches: who beats
-- first stays online. The registry is read whole; an index on last_seen_at would make every beat non-HOT.
SELECT r.id
FROM agent_runtime AS r
WHERE r.status = 'online' AND r.last_seen_at < $1 - make_interval(secs => $2) AND r.id <> ALL ($3)
ORDER BY r.last_seen_at, r.id
LIMIT $4
FOR NO KEY UPDATE SKIP LOCKED
