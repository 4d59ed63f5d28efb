INSERT INTO agent_task_queue (agent_id, runtime_id, status) SELECT id, runtime_id, 'failed' FROM agent WHERE name = 'agent 1';
UPDATE agent_task_queue SET status = 'completed';
