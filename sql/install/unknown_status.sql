-- Run only if no validated CHECK gives the answer: it may read the whole table.
SELECT status FROM agent_task_queue WHERE status <> ALL ($1) LIMIT 1
