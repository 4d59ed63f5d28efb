-- Stores that the runtime $1 did not name the tasks $2, which were claimed at $3, once more. A row of another claim, or from before
-- the clock was set back, begins anew. The caller has locked the rows.
UPDATE multica_task_unnamed AS u
SET claimed_at = g.claimed_at,
    missed_at = CASE WHEN u.claimed_at IS NOT DISTINCT FROM g.claimed_at AND u.missed_at <= $4 THEN u.missed_at ELSE $4 END,
    confirmed_at = CASE WHEN u.claimed_at IS NOT DISTINCT FROM g.claimed_at AND u.missed_at <= $4 THEN $4 END
FROM (SELECT pg_catalog.unnest($2) AS task_id, pg_catalog.unnest($3) AS claimed_at) AS g
WHERE u.task_id = g.task_id AND u.runtime_id = $1
