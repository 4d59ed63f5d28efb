-- Detaches the ended tasks $1, which the caller has locked, from their runtime. A task that has no runtime must have an end, and the
-- server did not always write it.
UPDATE agent_task_queue AS t
SET runtime_id = NULL, completed_at = COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at)
WHERE t.id = ANY ($1)
