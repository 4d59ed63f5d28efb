-- Whether a task has ended without a time of its end. Such a task cannot be detached from its runtime, so the runtime can never be
-- deleted.
SELECT EXISTS (
    SELECT FROM agent_task_queue AS t
    WHERE t.status IN ('completed', 'failed', 'cancelled') AND t.completed_at IS NULL
)
