-- Lets the silence of tasks begin now whose last sign of life is in the future. The caller has locked the rows.
UPDATE multica_task_progress AS p SET signed_at = $2 WHERE p.task_id = ANY ($1)
