-- Whether the progress $2 of the task $1 differs from the last one that was recorded, and that was recorded more than $4 seconds before
-- $3. A time in the future was written before the clock was set back, and does not count.
SELECT NOT EXISTS (
    SELECT FROM multica_task_progress AS p
    WHERE p.task_id = $1 AND (p.progress = $2 OR (p.recorded_at > $3 - make_interval(secs => $4) AND p.recorded_at <= $3))
)
