-- Locks and returns those of the tasks $1 that are stored as unnamed. Rows that other sessions hold are left out.
SELECT u.task_id FROM multica_task_unnamed AS u WHERE u.task_id = ANY ($1) ORDER BY u.task_id FOR UPDATE SKIP LOCKED
