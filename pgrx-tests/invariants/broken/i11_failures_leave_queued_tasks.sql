INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status)
SELECT a.id, a.runtime_id, i.id, s FROM agent AS a, issue AS i, unnest(ARRAY['queued', 'running']) AS s
WHERE a.name = 'agent 1' AND i.number = 1;
UPDATE agent_task_queue SET status = CASE status WHEN 'queued' THEN 'cancelled' ELSE 'failed' END;
