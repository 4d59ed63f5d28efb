INSERT INTO agent_task_queue (agent_id, runtime_id, status, failure_reason)
SELECT id, runtime_id, 'failed', 'agent_error' FROM agent WHERE name = 'agent 1';
INSERT INTO agent_task_queue (agent_id, runtime_id, parent_task_id, attempt)
SELECT agent_id, runtime_id, id, 2 FROM agent_task_queue;
