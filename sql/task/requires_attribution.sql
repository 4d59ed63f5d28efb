-- Returns whether the workspace refuses tasks for which no user is accountable.
SELECT
    -- feature fail_closed
    w.attribution_fail_closed
    -- end fail_closed
    -- without fail_closed
    --| false
    -- end fail_closed
FROM workspace AS w
WHERE w.id = $1
