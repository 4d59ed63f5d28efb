UPDATE agent_task_queue
SET status = 'failed', completed_at = now(), error = 'runtime went offline', failure_reason = 'runtime_offline'
WHERE status IN ('dispatched', 'running') AND runtime_id IN (SELECT id FROM agent_runtime WHERE status = 'offline')
RETURNING id, issue_id, agent_id, attempt < max_attempts
