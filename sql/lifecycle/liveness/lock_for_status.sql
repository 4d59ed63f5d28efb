-- Locks runtimes whose status is about to be written, in the order of their ids, and reads them under the lock. The write is
-- another statement. In this statement it would begin at the row version that its snapshot shows, and could wait there for a
-- session that waits for this lock.
SELECT r.id, r.status FROM agent_runtime AS r WHERE r.id = ANY ($1) ORDER BY r.id FOR NO KEY UPDATE
