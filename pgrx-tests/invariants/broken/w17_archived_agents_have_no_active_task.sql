INSERT INTO agent_task_queue (agent_id, runtime_id) SELECT id, runtime_id FROM agent WHERE name = 'agent 1';
UPDATE agent SET archived_at = now() WHERE name = 'agent 1';
