-- Records that the process with the incarnation $2 has claimed the tasks in $1. The caller has just set them dispatched.
INSERT INTO multica_task_incarnation AS i (task_id, incarnation, claimed_at)
SELECT t.id, $2, t.dispatched_at
FROM agent_task_queue AS t
WHERE t.id = ANY ($1) AND t.dispatched_at IS NOT NULL
ON CONFLICT (task_id) DO UPDATE
SET incarnation = EXCLUDED.incarnation,
    claimed_at = EXCLUDED.claimed_at
