-- Stores that the runtime $1 did not name the tasks $2, which were claimed at $3, for the first time. The caller holds the runtime.
INSERT INTO multica_task_unnamed AS u (task_id, runtime_id, claimed_at, missed_at)
SELECT g.task_id, $1, g.claimed_at, $4
FROM (SELECT pg_catalog.unnest($2) AS task_id, pg_catalog.unnest($3) AS claimed_at) AS g
ON CONFLICT (task_id) DO NOTHING
