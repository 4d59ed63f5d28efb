INSERT INTO agent_task_queue (agent_id, runtime_id, chat_session_id)
SELECT a.id, a.runtime_id, c.id FROM agent AS a, chat_session AS c, generate_series(1, 2)
WHERE a.name = 'agent 1' AND c.title = 'chat 1';
UPDATE agent_task_queue SET status = 'dispatched';
UPDATE agent_task_queue SET status = 'cancelled';
