-- Returns the tasks in flight on the runtime $1, each with its status and the time of its claim, and the tasks of the runtime that
-- are stored as unnamed, with the status NULL. $2: the statuses of tasks in flight. They are a parameter, so that the planner
-- reads the index of the tasks of a runtime, and not the one of all tasks in flight, whose predicate would follow from a list.
SELECT t.id, t.status, t.dispatched_at
FROM agent_task_queue AS t
WHERE t.runtime_id = $1 AND t.status = ANY ($2)
-- feature signs
UNION ALL
SELECT u.task_id, NULL::text, NULL::timestamptz
FROM multica_task_unnamed AS u
WHERE u.runtime_id = $1
-- end signs
