-- Stores a sign of life of the task $1, where the task itself has no column for it, and the progress $3 if it is not NULL. The caller
-- holds the task, so no other session writes the row.
INSERT INTO multica_task_progress AS p (
    -- without task_beat
    --| signed_at,
    -- end task_beat
    task_id, progress, recorded_at
)
VALUES (
    -- without task_beat
    --| $2,
    -- end task_beat
    $1, $3, CASE WHEN $3 IS NOT NULL THEN $2 END
)
ON CONFLICT (task_id) DO UPDATE
SET
    -- without task_beat
    --| signed_at = EXCLUDED.signed_at,
    -- end task_beat
    progress = COALESCE(EXCLUDED.progress, p.progress),
    recorded_at = COALESCE(EXCLUDED.recorded_at, p.recorded_at)
