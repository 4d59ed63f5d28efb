DELETE FROM multica_task_incarnation AS i WHERE i.task_id = ANY ($1)
