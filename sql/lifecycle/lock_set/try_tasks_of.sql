-- Locks, without waiting, all tasks of the runtimes $1, ended tasks included, and returns those that other sessions hold. The caller
-- has locked the runtimes, so no task is added.
WITH free AS MATERIALIZED (
    SELECT t.id FROM agent_task_queue AS t WHERE t.runtime_id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT t.id FROM agent_task_queue AS t WHERE t.runtime_id = ANY ($1)
EXCEPT
SELECT f.id FROM free AS f
