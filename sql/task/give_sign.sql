-- Stores a sign of life of a running task, where the task has a column for it; elsewhere only locks the task. $3: the time at which
-- the caller's claim dispatched the task, NULL for any claim. The column must be in no index, so that each sign is a heap-only update.
-- feature task_beat
UPDATE agent_task_queue AS t
SET last_heartbeat_at = $2
WHERE t.id = $1
  AND t.status = 'running'
  AND ($3 IS NULL OR t.dispatched_at = $3)
RETURNING t.*
-- end task_beat
-- without task_beat
--| SELECT t.*
--| FROM agent_task_queue AS t
--| WHERE t.id = $1
--|   AND t.status = 'running'
--|   AND ($3 IS NULL OR t.dispatched_at = $3)
--| FOR NO KEY UPDATE
-- end task_beat
