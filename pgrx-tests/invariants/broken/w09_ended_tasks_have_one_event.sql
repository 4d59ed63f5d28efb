INSERT INTO agent_task_queue (agent_id, runtime_id, status, completed_at)
SELECT id, runtime_id, 'cancelled', now() FROM agent WHERE name = 'agent 1';
