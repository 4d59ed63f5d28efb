-- One pending task of an issue and agent: two calls that enqueue at once cannot both succeed.
CREATE UNIQUE INDEX idx_one_pending_task_per_issue_agent ON agent_task_queue (issue_id, agent_id)
    WHERE status IN ('queued', 'dispatched');
