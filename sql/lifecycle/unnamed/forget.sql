DELETE FROM multica_task_unnamed AS u WHERE u.task_id = ANY ($1)
