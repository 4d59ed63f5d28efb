-- At most one pending task per issue and agent, so that of two calls that queue a task at the same time only one can insert it.
CREATE UNIQUE INDEX idx_one_pending_task_per_issue_agent ON agent_task_queue (issue_id, agent_id)
    WHERE status = ANY ('{queued,dispatched}'::text[]);
