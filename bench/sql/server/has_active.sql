SELECT count(*) > 0 FROM agent_task_queue WHERE issue_id = $1 AND status IN ('queued', 'dispatched', 'running')
