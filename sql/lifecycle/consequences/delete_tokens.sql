-- feature token
DELETE FROM task_token AS k WHERE k.id = ANY ($1)
-- end token
-- without token
--| SELECT WHERE false
-- end token
