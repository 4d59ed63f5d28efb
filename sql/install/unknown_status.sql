-- Returns a status that is not in $1. It is run only if no validated CHECK excludes such a status, because it may read the whole
-- table.
SELECT status FROM agent_task_queue WHERE status <> ALL ($1) LIMIT 1
