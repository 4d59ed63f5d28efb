-- Locks the runtime, without waiting, so that no other heartbeat inserts the rows of its tasks at the same time.
SELECT FROM agent_runtime AS r WHERE r.id = $1 FOR NO KEY UPDATE SKIP LOCKED
