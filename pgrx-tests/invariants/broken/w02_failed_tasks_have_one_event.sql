INSERT INTO agent_task_queue (agent_id, runtime_id, status, failure_reason, completed_at)
SELECT id, runtime_id, 'failed', 'runtime_offline', now() FROM agent WHERE name = 'agent 1';
