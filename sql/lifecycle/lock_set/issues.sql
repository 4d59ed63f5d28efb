-- FOR UPDATE, not FOR NO KEY UPDATE: who has inserted a task of the issue and not committed holds its key, and a retry of
-- the same pair would have to wait for that at the pending slot, behind everything locked here.
SELECT i.id FROM issue AS i WHERE i.id = ANY ($1) ORDER BY i.id FOR UPDATE
