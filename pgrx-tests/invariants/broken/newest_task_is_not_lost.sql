INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, failure_reason, completed_at)
SELECT a.id, a.runtime_id, i.id, 'failed', 'timeout', now() FROM agent AS a, issue AS i WHERE a.name = 'agent 1' AND i.number = 1;
