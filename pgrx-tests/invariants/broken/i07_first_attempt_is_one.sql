INSERT INTO agent_task_queue (agent_id, runtime_id, attempt) SELECT id, runtime_id, 2 FROM agent WHERE name = 'agent 1';
