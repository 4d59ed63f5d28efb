-- Each id that a committed enqueue, retry or rerun returned is in the table.
SELECT r.task FROM returned AS r LEFT JOIN agent_task_queue AS t ON t.id = r.task WHERE t.id IS NULL;
