-- Locks and returns the tasks whose last sign of life is in the future, without those in $2: at most $3. The clock was set back.
SELECT p.task_id
FROM multica_task_progress AS p
WHERE p.signed_at > $1 + interval '1 minute' AND p.task_id <> ALL ($2)
ORDER BY p.task_id
LIMIT $3
FOR UPDATE SKIP LOCKED
