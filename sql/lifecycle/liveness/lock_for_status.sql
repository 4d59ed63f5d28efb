-- Runtimes whose status is about to be written, locked in the order of their ids and read under the lock. The write is
-- another statement: in this one it would begin at the version that its snapshot shows, and could wait there for a
-- session that waits for this lock.
SELECT r.id, r.status FROM agent_runtime AS r WHERE r.id = ANY ($1) ORDER BY r.id FOR NO KEY UPDATE
