-- FOR UPDATE, not FOR NO KEY UPDATE: a session that has inserted a task of the issue and not committed holds its key, and a retry
-- of the same pair would have to wait for it at the pending slot, behind everything that is locked here.
SELECT i.id FROM issue AS i WHERE i.id = ANY ($1) ORDER BY i.id FOR UPDATE
