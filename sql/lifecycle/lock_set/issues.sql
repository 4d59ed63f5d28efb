-- FOR NO KEY UPDATE, because a statement of the server holds a task while it waits for the key of the task's issue.
SELECT i.id FROM issue AS i WHERE i.id = ANY ($1) ORDER BY i.id FOR NO KEY UPDATE
