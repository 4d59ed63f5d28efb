-- Run only where no validated CHECK answers it: it may read the whole table.
SELECT status FROM agent_task_queue WHERE status <> ALL ($1) LIMIT 1
