UPDATE agent SET max_concurrent_tasks = 1;
INSERT INTO agent_task_queue (agent_id, runtime_id)
SELECT a.id, a.runtime_id FROM agent AS a, generate_series(1, 2) WHERE a.name = 'agent 1';
UPDATE agent_task_queue SET status = 'dispatched';
