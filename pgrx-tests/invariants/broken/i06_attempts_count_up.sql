INSERT INTO agent_task_queue (agent_id, runtime_id, status, completed_at)
SELECT id, runtime_id, 'failed', now() FROM agent WHERE name = 'agent 1';
INSERT INTO agent_task_queue (agent_id, runtime_id, parent_task_id, attempt, max_attempts)
SELECT agent_id, runtime_id, id, 3, 3 FROM agent_task_queue;
