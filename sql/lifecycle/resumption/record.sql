-- Records that the process that had the task $2 has claimed its retry $1 by taking it over. The process is known only if it passed its
-- incarnation when it claimed the failed task.
INSERT INTO multica_task_incarnation AS i (task_id, incarnation, claimed_at, resumed_task_id)
SELECT r.id, p.incarnation, r.dispatched_at, f.id
FROM agent_task_queue AS r
JOIN agent_task_queue AS f ON f.id = $2
LEFT JOIN multica_task_incarnation AS p ON p.task_id = f.id AND p.claimed_at = f.dispatched_at
WHERE r.id = $1
ON CONFLICT (task_id) DO UPDATE
SET incarnation = EXCLUDED.incarnation,
    claimed_at = EXCLUDED.claimed_at,
    resumed_task_id = EXCLUDED.resumed_task_id
