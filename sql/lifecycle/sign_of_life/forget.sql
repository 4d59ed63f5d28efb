DELETE FROM multica_task_progress AS p WHERE p.task_id = ANY ($1)
