-- Returns the runtime to which each agent is bound under the lock, because the caller has locked the runtimes before.
SELECT a.id, a.runtime_id FROM agent AS a WHERE a.id = ANY ($1) ORDER BY a.id FOR NO KEY UPDATE
