INSERT INTO agent_task_queue (agent_id, runtime_id) SELECT id, runtime_id FROM agent WHERE name = 'agent 1';
