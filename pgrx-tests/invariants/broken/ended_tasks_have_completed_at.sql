INSERT INTO agent_task_queue (agent_id, runtime_id, status) SELECT id, runtime_id, 'cancelled' FROM agent WHERE name = 'agent 1';
