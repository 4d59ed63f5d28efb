-- Locks and returns the tokens of the tasks $1. A token that another session is deleting is left to that session.
-- feature token
SELECT k.id FROM task_token AS k WHERE k.task_id = ANY ($1) FOR UPDATE SKIP LOCKED
-- end token
-- without token
--| SELECT NULL::uuid WHERE false
-- end token
