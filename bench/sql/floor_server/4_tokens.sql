-- The agent of an ended task must not write any more.
DELETE FROM task_token AS k USING failed AS f WHERE k.task_id = f.id
