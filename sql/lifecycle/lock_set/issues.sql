-- FOR UPDATE, not FOR NO KEY UPDATE: a session that has inserted a task of the issue and has not committed holds the key of the
-- issue. With the weaker lock, a retry of the same pair would wait for that session at the pending slot, while this session holds
-- all its other locks.
SELECT i.id FROM issue AS i WHERE i.id = ANY ($1) ORDER BY i.id FOR UPDATE
